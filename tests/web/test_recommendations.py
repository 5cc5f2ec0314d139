"""Contents, interactions and lists over the API, and what is kept, taken in and forgotten."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client

from discern.engine.local import LocalEngine
from discern.errors import DiscernError, EngineUnreachable, ModelNotFound
from discern.recommendations.contract import Content as CoreContent
from discern.recommendations.contract import Interaction
from discern.web.accounts.models import User
from discern.web.engine import MeteredEngine, get_engine
from discern.web.jobs.outcome import run
from discern.web.jobs.registry import kind_named
from discern.web.jobs.services import claim
from discern.web.recommendations import adapter, bulk, importing, lists, mirrors
from discern.web.recommendations.contents import content_named, put_contents
from discern.web.recommendations.impressions import note_impression
from discern.web.recommendations.interactions import history_of, record
from discern.web.recommendations.mirrors import mirror_everything
from discern.web.recommendations.models import (
    Content,
    ImportJob,
    Impression,
    Person,
    PrecomputedList,
    UserInteraction,
)
from discern.web.recommendations.people import person_at_first_sight
from tests.fakes.recommender import ShelfEngine
from tests.web.conftest import client_of

API = "/api/v1"
JSON = "application/json"
MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
SHELF = [f"text-{i}" for i in range(12)]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> ShelfEngine:
    """The site's engine answers from a fixed shelf."""
    engine = ShelfEngine(list(SHELF))
    monkeypatch.setattr(lists, "get_engine", lambda: engine)
    return engine


@pytest.fixture(autouse=True)
def _own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(mirrors, "library", lambda: mirrors.library_in(str(tmp_path / "library")))
    yield
    mirrors.library().events.close()
    mirrors.library_in.cache_clear()


@pytest.fixture
def api(person: User) -> Client:
    """A host application's program, with its service account's key."""
    User.objects.filter(pk=person.pk).update(is_staff=True)
    person.refresh_from_db()
    return client_of(person)


@pytest.fixture
def contents(transactional_db: None) -> None:
    put_contents(
        contents=[
            CoreContent(
                name,
                title=f"Text {i}",
                text="some words",
                category="sea" if i % 2 else "sky",
                tags=("odd",) if i % 2 else (),
            )
            for i, name in enumerate(SHELF)
        ]
    )


def post(api: Client, path: str, **body: Any) -> Any:
    return api.post(f"{API}/{path}", orjson.dumps(body), content_type=JSON)


def like(api: Client, person: str, *names: str, **more: Any) -> Any:
    events = [{"person": person, "content_id": name, "liked": True} for name in names]
    return post(api, "interactions", interactions=events, **more)


def test_a_like_changes_the_next_list_and_is_its_reason(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    before = api.get(f"{API}/recommendations?person=anna&n=3").json()
    assert [item["content_id"] for item in before["items"]] == SHELF[:3]
    assert {item["reason"]["text"] for item in before["items"]} == {"popular"}
    assert like(api, "anna", "text-0").json()["added"] == 1
    after = api.get(f"{API}/recommendations?person=anna&n=3").json()
    assert [item["content_id"] for item in after["items"]] == SHELF[1:4]
    assert after["items"][0]["reason"]["text"] == "because you liked Text 0"


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


def test_contents_are_added_replaced_read_and_deleted(api: Client, contents: None) -> None:
    body = {"content_id": "text-0", "title": "Anew", "tags": ["a", "a", "b"], "available": False}
    taken = post(api, "contents", contents=[body, {"content_id": "more"}]).json()
    assert (taken["added"], taken["replaced"]) == (1, 1)
    read = api.get(f"{API}/contents/text-0").json()
    assert (read["title"], read["tags"], read["available"]) == ("Anew", ["a", "b"], False)
    assert api.get(f"{API}/contents?category=sea&page_size=200").json()["results"]
    assert api.delete(f"{API}/contents/text-0").status_code == 204
    assert api.get(f"{API}/contents/text-0").status_code == 404
    kept = {content.id: content for content in mirrors.library().contents()}
    assert not kept["text-0"].available


def test_contents_put_again_without_a_time_keep_theirs(api: Client, contents: None) -> None:
    before = {row.external_id: row.created_at for row in Content.objects.all()}
    old = "2001-02-03T04:05:06Z"
    post(api, "contents", contents=[{"content_id": "text-1", "created_at": old}])
    again = [{"content_id": "text-0", "title": "Anew"}, {"content_id": "text-1", "title": "Anew"}]
    assert post(api, "contents", contents=[*again, {"content_id": "new"}]).json()["replaced"] == 2
    after = {row.external_id: row for row in Content.objects.all()}
    assert after["text-0"].created_at == before["text-0"]
    assert after["text-1"].created_at == datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert {after[name].title for name in ("text-0", "text-1")} == {"Anew"}
    assert after["new"].created_at > max(before.values())
    kept = {row.id: row for row in mirrors.library().contents()}
    assert kept["text-1"].created_at == after["text-1"].created_at.timestamp()


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


@pytest.mark.parametrize("name", ["seen", "unavailable"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(
    api: Client, contents: None, shelf: ShelfEngine, name: str
) -> None:
    for path in ("recommendations?person=anna", "contents/text-1/similar?n=3"):
        answer = api.get(f"{API}/{path}&{name}=maybe")
        assert (answer.status_code, answer.json()["field"]) == (400, name)
    assert api.get(f"{API}/recommendations?person=anna&{name}=true").status_code == 200
    asked = shelf.requests[-1].filters
    assert (asked.allow_seen, asked.allow_unavailable) == (name == "seen", name == "unavailable")


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
    assert first.json() == {"added": 1, "replaced": 0, "duplicates": 1, "unknown": 1, "late": 1}
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


@pytest.mark.parametrize("query", ["n=0", "n=501", "n=x", "diversity=2", "diversity=x"])
def test_wrong_list_requests_name_the_field(
    api: Client, contents: None, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine()
    monkeypatch.setattr(lists, "get_engine", lambda: engine)
    answer = api.get(f"{API}/recommendations?person=anna&{query}")
    assert answer.status_code in (400, 413)
    assert answer.json()["field"] == query.split("=")[0]


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


def test_a_list_made_ahead_answers_while_the_model_server_is_away(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "anna", "text-5")
    call_command("precompute_recommendations", verbosity=0)
    assert PrecomputedList.objects.count() == 1
    shelf.failure = EngineUnreachable("away", retry_after_s=1.0)
    like(api, "anna", "text-0")
    answer = api.get(f"{API}/recommendations?person=anna&n=4&category=sea").json()
    assert answer["source"] == "precomputed"
    listed = [item["content_id"] for item in answer["items"]]
    assert listed == ["text-1", "text-3", "text-7", "text-9"]
    longer = api.get(f"{API}/recommendations?person=anna&n=12").json()
    named = [item["content_id"] for item in longer["items"]]
    assert len(set(named)) == len(named) == 10
    nobody = api.get(f"{API}/recommendations?person=nobody&n=5&tag=odd").json()
    assert nobody["source"] == "newest"
    assert [item["content_id"] for item in nobody["items"]] == [
        f"text-{i}" for i in (11, 9, 7, 5, 3)
    ]


def test_while_the_model_server_is_away_a_filter_outside_the_list_made_ahead_finds_the_newest(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "anna", "text-0")
    call_command("precompute_recommendations", verbosity=0)
    put_contents(contents=[CoreContent("late", category="soil", tags=("t",))])
    shelf.failure = EngineUnreachable("away")
    answer = api.get(f"{API}/recommendations?person=anna&category=soil").json()
    assert answer["source"] == "newest"
    assert [item["content_id"] for item in answer["items"]] == ["late"]
    beside = api.get(f"{API}/contents/text-1/similar?n=3").json()
    assert beside["source"] == "newest"
    assert [item["category"] for item in beside["items"]] == ["sea"] * 3


def test_the_newest_are_filtered_however_many_newer_ones_there_are(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    newer = [CoreContent(f"n{i}", category="soil", created_at=4e9 + i) for i in range(2_100)]
    put_contents(contents=[*newer, CoreContent("gone", tags=("odd",), available=False)])
    like(api, "anna", "text-1")
    shelf.failure = ModelNotFound("none")

    def listed(query: str) -> list[str]:
        items = api.get(f"{API}/recommendations?person=anna&n=3&{query}").json()["items"]
        return [item["content_id"] for item in items]

    assert listed("category=sea&exclude=text-11") == ["text-9", "text-7", "text-5"]
    assert listed("tag=odd&tag=none") == ["text-11", "text-9", "text-7"]
    assert listed("tag=od%00d") == []
    assert listed("tag=odd&" + "&".join(f"exclude=text-{i}" for i in (11, 9, 7, 5, 3))) == []


@pytest.mark.parametrize("change", ["withdrawn", "disliked", "deleted", "none"])
def test_a_list_made_ahead_gives_no_reason_that_no_longer_holds(
    api: Client, contents: None, shelf: ShelfEngine, change: str
) -> None:
    like(api, "anna", "text-8")
    call_command("precompute_recommendations", verbosity=0)
    if change == "withdrawn":
        api.delete(f"{API}/interactions?person=anna&content=text-8")
    elif change == "deleted":
        api.delete(f"{API}/contents/text-8")
    elif change == "disliked":
        event = {"person": "anna", "content_id": "text-8", "disliked": True}
        post(api, "interactions", interactions=[event])
    shelf.failure = EngineUnreachable("away")
    items = api.get(f"{API}/recommendations?person=anna&n=3").json()["items"]
    expected = "because" if change == "none" else "popular"
    assert {item["reason"]["kind"] for item in items} == {expected}


@pytest.mark.parametrize("away", [ModelNotFound("none"), EngineUnreachable("away"), None])
def test_what_was_met_more_than_a_history_ago_is_in_no_list(
    api: Client, contents: None, shelf: ShelfEngine, away: DiscernError | None
) -> None:
    lists.precompute(people=[Person.objects.create(external_id="anna")])
    record(interactions=[Interaction("anna", "text-0", liked=True, at=1.0)])
    again = [Interaction("anna", "text-1", view_time=9, at=100.0 + i) for i in range(500)]
    record(interactions=again)
    shelf.failure = away
    for query in ("", "&category=sky"):
        items = api.get(f"{API}/recommendations?person=anna&n=12{query}").json()["items"]
        named = {item["content_id"] for item in items}
        assert named
        assert not named & {"text-0", "text-1"}


def test_of_the_same_moment_what_was_told_last_decides_whether_it_is_liked(contents: None) -> None:
    pytest.importorskip("numpy")
    from discern.recommendations.history import weigh

    record(interactions=[Interaction("anna", "text-0", liked=True, at=5.0)])
    record(interactions=[Interaction("anna", "text-0", disliked=True, at=5.0)])
    history = history_of(person=Person.objects.get())
    assert [event.liked for event in history] == [True, False]
    assert weigh(history, {"text-0": 0}.get).length == 0


def test_before_the_first_fit_the_newest_are_listed(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    shelf.failure = ModelNotFound("none")
    answer = api.get(f"{API}/recommendations?person=anna&n=2").json()
    assert answer["source"] == "newest"
    assert len(answer["items"]) == 2


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


def test_arms_are_told_apart_by_what_came_of_their_impressions(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    for number in range(12):
        person = f"p{number}"
        query = f"person={person}&n=3&experiment=variety"
        answer = api.get(f"{API}/recommendations?{query}").json()
        again = api.get(f"{API}/recommendations?{query}").json()
        assert answer["arm"] == again["arm"] in ("likeliest", "varied")
        name = answer["items"][0]["content_id"]
        like(api, person, name, impression=answer["impression"])
        expected = 0.3 if answer["arm"] == "varied" else 0.0
        assert shelf.requests[-1].diversity == expected
    arms = api.get(f"{API}/recommendations/metrics?experiment=variety").json()["arms"]
    assert {arm["arm"] for arm in arms} == {"likeliest", "varied"}
    assert sum(arm["impressions"] for arm in arms) == 24
    assert sum(arm["likes"]["hits"] for arm in arms) == 12
    assert all(arm["clicks"]["low"] <= 0.5 <= arm["clicks"]["high"] for arm in arms)


def test_an_arm_ranks_by_its_own_model_and_what_was_not_its_list_does_not_count_for_it(
    api: Client, contents: None, shelf: ShelfEngine, settings: Any
) -> None:
    settings.RECOMMENDATION_EXPERIMENTS = {
        "models": {"old": {}, "new": {"model": "another"}, "none": {"share": 0.0}}
    }
    shelf.models["another"] = SHELF[::-1]
    firsts = {}
    for number in range(12):
        query = f"person=p{number}&n=1&experiment=models"
        answer = api.get(f"{API}/recommendations?{query}").json()
        firsts[answer["arm"]] = answer["items"][0]["content_id"]
    assert firsts == {"old": SHELF[0], "new": SHELF[-1]}
    counted = Impression.objects.filter(experiment="models").count()
    assert counted == 12
    del shelf.models["another"]
    answers = [
        api.get(f"{API}/recommendations?person=p{number}&n=1&experiment=models").json()
        for number in range(12)
    ]
    assert {answer["arm"] for answer in answers} == {"old", ""}
    assert {answer["items"][0]["content_id"] for answer in answers} == {SHELF[0]}
    for person in Person.objects.all():
        lists.precompute(people=[person])
    counted = Impression.objects.filter(experiment="models").count()
    shelf.failure = EngineUnreachable("away", retry_after_s=1.0)
    answer = api.get(f"{API}/recommendations?person=p1&n=1&experiment=models").json()
    assert (answer["source"], answer["arm"]) == ("precomputed", "")
    assert Impression.objects.filter(experiment="models").count() == counted


def test_a_list_comes_without_reasons_when_none_are_asked_for(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    for text in ("true", "1", "True"):
        lines = api.get(f"{API}/recommendations?person=anna&explain={text}").json()["items"]
        assert all(line["reason"]["text"] for line in lines)
    lines = api.get(f"{API}/recommendations?person=anna&explain=false").json()["items"]
    assert lines
    assert not any("reason" in line for line in lines)
    wrong = api.get(f"{API}/recommendations?person=anna&explain=maybe")
    assert (wrong.status_code, wrong.json()["field"]) == (400, "explain")


def test_a_parquet_file_is_taken_in_and_one_that_only_begins_like_one_is_refused(
    api: Client, contents: None
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"user_id": i, "content_id": f"text-{i % 12}", "created_at": MOMENT} for i in range(600)
    ]
    file = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    upload = SimpleUploadedFile("i.parquet", file.getvalue())
    made = api.post(f"{API}/imports", {"kind": "interactions", "file": upload})
    assert made.status_code == 202, made.content
    held = claim(kind_named("import"), ImportJob.objects.get().pk, owner="test")
    assert held is not None
    run(held, stopping=_never())
    job = api.get(f"{API}/imports/{made.json()['id']}").json()
    assert (job["state"], job["counts"]) == ("done", {"added": 600, "late": 600})
    seven = history_of(person=Person.objects.get(external_id="7"))
    assert (seven[0].content, seven[0].liked, seven[0].at) == ("text-7", True, MOMENT.timestamp())
    broken = SimpleUploadedFile("i.parquet", b"PAR1 and no more")
    refused = api.post(f"{API}/imports", {"kind": "interactions", "file": broken})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")


def test_interactions_without_a_time_happen_now_and_are_not_late(
    api: Client, contents: None
) -> None:
    for expected in ({"added": 1, "late": 0}, {"duplicates": 1}):
        taken = bulk.take_interactions([Interaction("anna", "text-1", liked=True)])
        assert expected.items() <= asdict(taken).items()


def test_a_library_older_than_the_site_is_taken_in_without_what_was_deleted(
    transactional_db: None,
) -> None:
    library = mirrors.library()
    library.put_contents([CoreContent("a", title="A"), CoreContent("gone", available=False)])
    events = [Interaction("anna", name, liked=True, at=5.0) for name in ("a", "gone", "unknown")]
    library.put_interactions(events)
    number = library.events.last_number()
    for added in (1, 0):
        contents, interactions = bulk.take_library()
        assert (contents.added, interactions.added, interactions.unknown) == (added, added, 2)
    assert [row.external_id for row in Content.objects.all()] == ["a"]
    assert library.events.last_number() == number
    mirror_everything()
    assert library.events.last_number() == number  # under the same keys: nothing counts twice


def test_a_file_is_taken_in_row_by_row_and_twice_is_harmless(api: Client, contents: None) -> None:
    rows = [f"p{i},text-{i % 12},1,2024-01-01T00:00:{i % 60:02}" for i in range(700)]
    rows += ["p1,nowhere,1,", "p1,text-1,maybe,"]
    file = "user_id,content_id,liked,created_at\n" + "\n".join(rows)
    for expected in ({"added": 700}, {"duplicates": 700}):
        upload = SimpleUploadedFile("i.csv", file.encode(), content_type="text/csv")
        answer = api.post(f"{API}/imports", {"kind": "interactions", "file": upload})
        assert answer.status_code == 202
        kind = kind_named("import")
        held = claim(kind, ImportJob.objects.latest("created_at").pk, owner="test")
        assert held is not None
        run(held, stopping=_never())
        job = api.get(f"{API}/imports/{answer.json()['id']}").json()
        assert job["state"] == "done", job
        assert expected.items() <= job["counts"].items()
        assert job["counts"]["unknown"] == job["counts"]["refused"] == 1
        assert "liked" in job["problems"][0]


def _never() -> Any:
    import threading

    return threading.Event()


@pytest.mark.parametrize("state", ["failed", "dead"])
def test_the_file_of_an_import_that_failed_is_let_go_and_no_other(
    api: Client, contents: None, state: str
) -> None:
    def made() -> ImportJob:
        upload = SimpleUploadedFile("i.csv", b"user_id,content_id\nanna,x\n")
        answer = api.post(f"{API}/imports", {"kind": "interactions", "file": upload}).json()
        return ImportJob.objects.get(pk=answer["id"])

    ended, waiting = made(), made()
    ImportJob.objects.filter(pk=ended.pk).update(state=state)
    assert importing.drop_files() == {"files of failed imports": 1}
    ended.refresh_from_db()
    waiting.refresh_from_db()
    assert bytes(ended.content) == b""
    assert bytes(waiting.content) != b""
    assert kind_named("import").tidy is importing.drop_files


def test_another_accounts_import_is_not_found(
    api: Client, other_api: Client, contents: None
) -> None:
    upload = SimpleUploadedFile("c.csv", b"content_id\nx\n")
    made = api.post(f"{API}/imports", {"kind": "contents", "file": upload}).json()
    assert other_api.get(f"{API}/imports/{made['id']}").status_code == 404


def test_the_blogs_function_is_a_drop_in_and_keeps_the_order(
    contents: None, shelf: ShelfEngine
) -> None:
    shelf.shelf.reverse()
    found = adapter.get_recommendations(7, 5)
    assert found == SHELF[::-1][:5]
    rows = adapter.in_order(Content, found, field="external_id")
    assert [row.external_id for row in rows] == found


def test_an_own_content_model_is_followed(transactional_db: None) -> None:
    adapter.connect(User, lambda user: CoreContent(f"user-{user.pk}", title=user.username))
    try:
        user = User.objects.create_user("writer")
        assert content_named(f"user-{user.pk}").title == "writer"
        user.delete()
        assert not Content.objects.exists()
    finally:
        from django.db.models.signals import post_delete, post_save

        for signal, name in ((post_save, "saved"), (post_delete, "deleted")):
            signal.disconnect(sender=User, dispatch_uid=f"discern-accounts.User-{name}")


def test_the_demo_library_is_learned_and_explained(
    api: Client,
    transactional_db: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    from discern.catalog.store import Store
    from discern.web.recommendations import learning

    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))
    monkeypatch.setattr(learning, "Store", lambda _home: Store(tmp_path))
    call_command("make_demo_library", tune_seconds=0, verbosity=0)
    call_command("make_demo_library", no_fit=True, verbosity=0)
    assert Content.objects.count() >= 150
    engine = LocalEngine(Store(tmp_path))
    monkeypatch.setattr(lists, "get_engine", lambda: MeteredEngine(engine))
    try:
        liked = Content.objects.filter(category="Space").values_list("external_id", flat=True)
        like(api, "anna", *liked[:8])
        answer = api.get(f"{API}/recommendations?person=anna&n=10&exploration=0").json()
        assert answer["source"] == "model"
        reasons = [item["reason"] for item in answer["items"]]
        assert any(reason["kind"] == "because" for reason in reasons)
        similar = api.get(f"{API}/contents/the-age-of-sunlight/similar?n=3").json()
        assert len(similar["items"]) == 3
    finally:
        engine.close()


def test_the_sites_own_engine_has_the_verbs() -> None:
    assert isinstance(get_engine(), MeteredEngine)
    assert {"recommend", "similar_contents"} <= set(dir(MeteredEngine))


@pytest.mark.skipif(connection.vendor != "sqlite", reason="of SQLite's own setting")
def test_after_a_list_was_noted_or_refused_the_connection_waits_for_the_disk_again(
    transactional_db: None,
) -> None:
    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            return bool(cursor.fetchone() == (2,))

    person = person_at_first_sight(external_id="somebody")
    assert waits()
    shown = Impression(person=person, contents=["a"], model_name="m", model_version="1")
    note_impression(shown)
    assert waits()
    with pytest.raises(IntegrityError):
        note_impression(shown)
    assert waits()
    assert Impression.objects.get().contents == ["a"]


def test_somebody_is_made_at_first_sight_and_is_the_same_at_the_second(
    transactional_db: None,
) -> None:
    first = person_at_first_sight(external_id="somebody new")
    second = person_at_first_sight(external_id="somebody new")
    assert first == second
    assert (second.external_id, second.account_id) == ("somebody new", None)
    assert second.created_at == first.created_at
