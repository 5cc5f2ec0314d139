"""What people did: recorded, counted, taken back, forgotten."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import orjson
import pytest
from django.test import Client

from discern.recommendations.contract import Interaction
from discern.web.accounts.models import User
from discern.web.recommendations import bulk, mirrors
from discern.web.recommendations.interactions import history_of
from discern.web.recommendations.models import (
    Impression,
    Person,
    UserInteraction,
)
from discern.web.recommendations.numbers import INTERACTIONS
from discern.web.recommendations.people import person_at_first_sight
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import API, JSON, like, post


def test_a_like_taken_back_changes_nothing_any_more_and_what_was_read_stays(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "anna", "text-0", "text-1")
    post(
        api,
        "interactions",
        interactions=[{"person": "anna", "content_id": "text-1", "view_time": 9}],
    )
    for count in (1, 0):
        gone = api.delete(f"{API}/interactions?person=anna&content=text-0")
        assert gone.json() == {"interactions": count}
    assert api.delete(f"{API}/interactions?person=anna&content=text-1").json()["interactions"] == 1
    left = UserInteraction.objects.get()
    assert (left.content.external_id, left.liked, left.view_time) == ("text-1", False, 9)
    assert [e.content for e in mirrors.library().events.of_person("anna")] == ["text-1"]
    assert like(api, "anna", "text-0").json()["added"] == 1
    assert api.delete(f"{API}/interactions?person=anna").status_code == 400


def test_a_like_told_with_its_reading_is_taken_back_and_the_reading_stays(
    api: Client, contents: None
) -> None:
    event = {"person": "anna", "content_id": "text-1", "liked": True, "view_time": 40}
    post(api, "interactions", interactions=[event])
    for count in (1, 0):
        gone = api.delete(f"{API}/interactions?person=anna&content=text-1").json()
        assert gone == {"interactions": count}
    left = UserInteraction.objects.get()
    assert (left.liked, left.disliked, left.view_time) == (False, False, 40)
    told = mirrors.library().events.of_person("anna")
    assert [(e.liked, e.view_time) for e in told] == [(False, 40.0)]


def test_what_lies_ahead_happens_now_and_is_known_when_told_again(
    api: Client, contents: None
) -> None:
    event = {
        "person": "anna",
        "content_id": "text-1",
        "liked": True,
        "created_at": "2999-01-01T00:00:00Z",
    }
    added = [post(api, "interactions", interactions=[event]).json()["added"] for _ in range(2)]
    assert added == [1, 0]
    stored = UserInteraction.objects.get().created_at
    assert stored <= datetime.now(UTC)
    (told,) = mirrors.library().events.of_person("anna")
    assert told.at == pytest.approx(stored.timestamp(), abs=1e-3)


def test_liked_and_disliked_at_once_is_refused(api: Client, contents: None) -> None:
    event = {"person": "anna", "content_id": "text-1", "liked": True, "disliked": True}
    answer = post(api, "interactions", interactions=[event])
    assert (answer.status_code, answer.json()["field"]) == (400, "disliked")


def test_duplicate_unknown_and_late_interactions_are_counted_never_an_error(
    api: Client, contents: None
) -> None:
    event = {
        "person": "anna",
        "content_id": "text-1",
        "liked": True,
        "created_at": "2020-01-01T00:00:00Z",
    }
    unknown = {**event, "content_id": "nowhere"}
    first = post(api, "interactions", interactions=[event, event, unknown])
    assert first.status_code == 200
    assert first.json() == {
        "added": 1,
        "replaced": 0,
        "duplicates": 1,
        "unknown": 1,
        "late": 1,
        "out_of_order": 0,
    }
    again = post(api, "interactions", interactions=[event]).json()
    assert (again["added"], again["duplicates"]) == (0, 1)
    assert UserInteraction.objects.count() == 1
    assert mirrors.library().events.last_number() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"interactions": []},
        {"interactions": "x"},
        {"interactions": [{"person": "a"}]},
        {"interactions": [{"person": "a", "content_id": True}]},
        {"interactions": [{"person": "a", "content_id": "text-1", "view_time": "long"}]},
        {"interactions": [{"person": "a", "content_id": "text-1", "created_at": "1e300"}]},
        {"interactions": [{"person": "a", "content_id": "text-1", "liked": "perhaps"}]},
        {"interactions": [{"content_id": "text-1"}]},
        {"interactions": [{"person": "x" * 201, "content_id": "text-1"}]},
        {"interactions": [{"person": "a", "content_id": "text-1", "key": ""}]},
        {"interactions": [{"person": "a", "content_id": "text-1"}] * 1001},
    ],
)
def test_wrong_interactions_are_refused_and_none_is_stored(
    api: Client, contents: None, body: dict[str, Any]
) -> None:
    answer = api.post(f"{API}/interactions", orjson.dumps(body), content_type=JSON)
    assert answer.status_code in (400, 413), answer.content
    assert answer.json()["code"] in ("invalid_input", "too_large")
    assert not UserInteraction.objects.exists()


def test_a_reader_in_a_session_speaks_only_for_themselves(
    contents: None, shelf: ShelfEngine, person: User
) -> None:
    reader = Client()
    reader.force_login(person)
    event = {"content_id": "text-2", "liked": True}
    body = orjson.dumps({"interactions": [event]})
    assert reader.post(f"{API}/interactions", body, content_type=JSON).status_code == 200
    mine = Person.objects.get(account=person)
    assert history_of(person=mine)[0].content == "text-2"
    other = orjson.dumps({"interactions": [{**event, "person": "anna"}]})
    assert reader.post(f"{API}/interactions", other, content_type=JSON).status_code == 403
    assert reader.get(f"{API}/recommendations?person=anna").status_code == 403
    assert reader.delete(f"{API}/people/anna").status_code == 403
    contents_body = orjson.dumps({"contents": [{"content_id": "mine"}]})
    assert reader.post(f"{API}/contents", contents_body, content_type=JSON).status_code == 403
    listed = reader.get(f"{API}/recommendations?n=3").json()["items"]
    assert "text-2" not in {item["content_id"] for item in listed}


def test_erasing_a_person_leaves_nothing_of_them(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "anna", "text-1", "text-2")
    api.get(f"{API}/recommendations?person=anna")
    assert mirrors.library().events.of_person("anna")
    assert api.delete(f"{API}/people/anna").json() == {"interactions": 2}
    assert not Person.objects.exists()
    assert not UserInteraction.objects.exists()
    assert not Impression.objects.exists()
    assert mirrors.library().events.of_person("anna") == []
    assert mirrors.library().events.read()[-1].erased
    assert api.delete(f"{API}/people/anna").status_code == 404


def test_interactions_without_a_time_happen_now_and_are_not_late(
    api: Client, contents: None
) -> None:
    for expected in ({"added": 1, "late": 0}, {"duplicates": 1}):
        taken = bulk.take_interactions([Interaction("anna", "text-1", liked=True)])
        assert expected.items() <= asdict(taken).items()


def test_somebody_is_made_at_first_sight_and_is_the_same_at_the_second(
    transactional_db: None,
) -> None:
    first = person_at_first_sight(external_id="somebody new")
    second = person_at_first_sight(external_id="somebody new")
    assert first == second
    assert (second.external_id, second.account_id) == ("somebody new", None)
    assert second.created_at == first.created_at


def test_a_key_sent_twice_counts_once_and_two_persons_may_have_the_same(
    api: Client, contents: None
) -> None:
    def send(person: str, content: str) -> Any:
        event = {"person": person, "content_id": content, "liked": True, "key": "1"}
        return post(api, "interactions", interactions=[event]).json()

    assert send("anna", "text-1")["added"] == 1
    assert send("ben", "text-1")["added"] == 1
    again = send("anna", "text-2")
    assert (again["added"], again["duplicates"]) == (0, 1)
    assert UserInteraction.objects.count() == 2
    assert len(list(mirrors.library().interactions())) == 2
    mirrors.mirror_everything()
    assert len(list(mirrors.library().interactions())) == 2


def test_keys_stored_by_an_older_version_are_known_after_the_migration(
    api: Client, contents: None
) -> None:
    from django.apps import apps

    event = {"person": "anna", "content_id": "text-1", "liked": True}
    post(api, "interactions", interactions=[{**event, "key": "1"}])
    post(api, "interactions", interactions=[{**event, "created_at": "2024-01-01T00:00:00Z"}])
    before = set(UserInteraction.objects.values_list("key", flat=True))
    UserInteraction.objects.filter(pk=UserInteraction.objects.earliest("pk").pk).update(key="1")
    migration = import_module(
        "discern.web.recommendations.migrations.0004_keys_of_their_own_person"
    )
    migration.make_own(apps, None)
    assert set(UserInteraction.objects.values_list("key", flat=True)) == before


def test_events_older_than_what_is_known_of_person_and_content_are_counted_as_out_of_order(
    api: Client, contents: None
) -> None:
    def send(*events: tuple[str, int]) -> int:
        rows = [
            {"person": "anna", "content_id": name, "created_at": f"2024-01-0{day}T00:00:00Z"}
            for name, day in events
        ]
        return int(post(api, "interactions", interactions=rows).json()["out_of_order"])

    before = INTERACTIONS.labels("out_of_order")._value.get()
    assert send(("text-1", 5), ("text-2", 3)) == 0
    assert send(("text-1", 4), ("text-2", 4), ("text-3", 1)) == 1
    assert send(("text-1", 4)) == 0  # a duplicate
    assert send(("text-5", 9), ("text-5", 8), ("text-1", 6)) == 1
    assert post(api, "interactions", interactions=[_now("text-1")]).json()["out_of_order"] == 0
    assert INTERACTIONS.labels("out_of_order")._value.get() - before == 2


def _now(content: str) -> dict[str, str]:
    return {"person": "anna", "content_id": content}
