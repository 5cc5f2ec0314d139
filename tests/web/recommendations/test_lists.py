"""Lists and their reasons, with a model, without one, and in an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client

from discern.engine.local import LocalEngine
from discern.errors import DiscernError, EngineUnreachable, ModelNotFound
from discern.recommendations.contract import Content as CoreContent
from discern.recommendations.contract import Interaction
from discern.web.engine import MeteredEngine, get_engine
from discern.web.recommendations import lists
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.impressions import note_impression
from discern.web.recommendations.interactions import history_of, record
from discern.web.recommendations.models import (
    Content,
    Impression,
    Person,
    PrecomputedList,
)
from discern.web.recommendations.people import forget, person_at_first_sight
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import API, SHELF, like, post


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


@pytest.mark.parametrize("query", ["n=0", "n=501", "n=x", "diversity=2", "diversity=x"])
def test_wrong_list_requests_name_the_field(
    api: Client, contents: None, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine()
    monkeypatch.setattr(lists, "get_engine", lambda: engine)
    answer = api.get(f"{API}/recommendations?person=anna&{query}")
    assert answer.status_code in (400, 413)
    assert answer.json()["field"] == query.split("=")[0]


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


def test_whoever_is_erased_while_their_list_is_made_is_answered_and_not_kept(
    api: Client, contents: None, shelf: ShelfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend = shelf.recommend

    def erased_meanwhile(*arguments: Any, **options: Any) -> Any:
        forget(external_id="anna")
        return recommend(*arguments, **options)

    monkeypatch.setattr(shelf, "recommend", erased_meanwhile)
    answer = api.get(f"{API}/recommendations?person=anna&n=3")
    assert (answer.status_code, answer.json()["impression"]) == (200, None)
    assert not Person.objects.filter(external_id="anna").exists()
    assert not Impression.objects.exists()


def test_before_the_first_fit_the_newest_are_listed(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    shelf.failure = ModelNotFound("none")
    answer = api.get(f"{API}/recommendations?person=anna&n=2").json()
    assert answer["source"] == "newest"
    assert len(answer["items"]) == 2


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


def test_a_dislike_without_reading_is_no_click_and_one_after_reading_is(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    shown = api.get(f"{API}/recommendations?person=anna&n=3").json()
    event = {"person": "anna", "content_id": shown["items"][0]["content_id"], "disliked": True}
    for view_time, clicked in ((0, False), (20, True)):
        told = [{**event, "view_time": view_time}]
        post(api, "interactions", interactions=told, impression=shown["impression"])
        noted = Impression.objects.get(pk=shown["impression"])
        assert (noted.clicked_at is not None) is clicked
        assert noted.liked_at is None


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
