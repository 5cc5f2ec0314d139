"""The mood of a text over the API, its record, and feedback on it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.test import Client

from discern.text.contract import MAX_TEXT_CHARS
from discern.web.accounts.models import User
from discern.web.text.models import Analysis
from discern.web.text.services import MAX_CALL_CHARS, MAX_TEXTS
from tests.doors.inputs import BAD_BODIES, GOOD_TEXTS, BadBody
from tests.fakes.engine import WordEngine

ANALYZE = "/api/v1/analyze"
ANALYSES = "/api/v1/analyses"
JSON = "application/json"


def analyze(api: Client, **body: Any) -> Any:
    return api.post(ANALYZE, orjson.dumps(body), content_type=JSON)


@pytest.mark.parametrize("text", GOOD_TEXTS, ids=lambda text: text[:20])
@pytest.mark.parametrize("record", [False, True])
def test_each_good_text_is_read_and_can_be_recorded(api: Client, text: str, record: bool) -> None:
    answer = analyze(api, text=text, record=record)
    assert answer.status_code == 200, answer.content
    (mood,) = answer.json()["results"]
    assert mood["label"] == max(mood["scores"], key=mood["scores"].__getitem__)
    assert mood["score"] == mood["scores"][mood["label"]]
    assert sum(mood["scores"].values()) == pytest.approx(1)
    assert (mood["model_name"], mood["model_version"], mood["windows"]) == ("words", "1.0.0", 1)
    assert (mood["id"] is not None) == record
    assert Analysis.objects.count() == int(record)


@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_each_bad_body_is_refused_by_its_code(api: Client, bad: BadBody) -> None:
    answer = api.post(ANALYZE, bad.body, content_type=JSON)
    assert answer.json()["code"] == bad.code
    assert answer.status_code == (413 if bad.code == "too_large" else 400)


def test_texts_are_answered_in_order(api: Client) -> None:
    answer = analyze(api, texts=["bad", "good", "day"])
    labels = [mood["label"] for mood in answer.json()["results"]]
    assert labels == ["negative", "positive", "neutral"]


def test_as_many_texts_as_the_limit_pass_and_one_more_does_not(api: Client) -> None:
    assert analyze(api, texts=["good"] * MAX_TEXTS).status_code == 200
    refused = analyze(api, texts=["good"] * (MAX_TEXTS + 1))
    assert refused.status_code == 413
    assert (refused.json()["field"], refused.json()["limit"]) == ("texts", MAX_TEXTS)


def test_as_many_characters_as_can_be_answered_in_time_pass_and_one_more_does_not(
    api: Client, engine: WordEngine
) -> None:
    full = ["x" * MAX_TEXT_CHARS] * (MAX_CALL_CHARS // MAX_TEXT_CHARS)
    assert sum(map(len, full)) == MAX_CALL_CHARS
    assert analyze(api, texts=full).status_code == 200
    engine.calls.clear()
    refused = analyze(api, texts=[*full, "y"])
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
    assert (refused.json()["field"], refused.json()["limit"]) == ("texts", MAX_CALL_CHARS)
    assert "/api/v1/text-jobs" in refused.json()["detail"]
    assert engine.calls == []


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"texts": []}, "empty_input", "texts"),
        ({"texts": "good"}, "invalid_input", "texts"),
        ({"texts": ["good", 3]}, "invalid_input", "texts[1]"),
        ({"texts": ["good", " "]}, "empty_input", "texts[1]"),
        ({"texts": ["x" * (MAX_TEXT_CHARS + 1)]}, "too_large", "texts[0]"),
        ({"texts": ["good", "x" * (MAX_CALL_CHARS + 1)]}, "too_large", "texts[1]"),
        ({"text": "good", "texts": ["good"]}, "invalid_input", "texts"),
        ({"text": "good", "texts": None}, "invalid_input", "texts"),
        ({"text": None, "texts": ["good"]}, "invalid_input", "texts"),
        ({"text": None, "texts": None}, "invalid_input", "texts"),
        ({"text": None}, "invalid_input", "text"),
        ({"texts": None}, "invalid_input", "texts"),
        ({}, "empty_input", "text"),
        ({"text": "good", "modle": "words"}, "invalid_input", "modle"),
        ({"text": "good", "b": 1, "a": 1}, "invalid_input", "a"),
        ({"": 1}, "invalid_input", ""),
        ({"text": "good", "record": "yes"}, "invalid_input", "record"),
        ({"text": "good", "model": 3}, "invalid_input", "model"),
    ],
)
def test_a_bad_field_is_named(api: Client, body: dict[str, Any], code: str, field: str) -> None:
    answer = analyze(api, **body)
    assert (answer.json()["code"], answer.json()["field"]) == (code, field)


def test_what_is_refused_never_reaches_the_engine(api: Client, engine: WordEngine) -> None:
    analyze(api, text="  ")
    analyze(api, texts=["good", ""])
    assert engine.calls == []


def test_nothing_is_recorded_unless_asked(api: Client) -> None:
    analyze(api, text="good")
    assert Analysis.objects.count() == 0


def test_a_session_may_analyze_with_its_csrf_token(person: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person)
    token = browser.get("/api/v1/session").json()["csrf_token"]
    body = orjson.dumps({"text": "good"})
    assert browser.post(ANALYZE, body, content_type=JSON).status_code == 403
    answer = browser.post(ANALYZE, body, content_type=JSON, headers={"X-CSRFToken": token})
    assert answer.status_code == 200


def test_recorded_analyses_are_paged_newest_first_and_filtered(api: Client) -> None:
    for text in ("good", "bad", "day", "good good"):
        analyze(api, text=text, record=True)
    first = api.get(ANALYSES, {"page_size": 3}).json()
    assert [row["text"] for row in first["results"]] == ["good good", "day", "bad"]
    second = api.get(first["next"]).json()
    assert [row["text"] for row in second["results"]] == ["good"]
    assert second["next"] is None
    only = api.get(ANALYSES, {"label": "negative"}).json()
    assert [row["text"] for row in only["results"]] == ["bad"]


def test_feedback_says_which_label_is_right_and_may_change_its_mind(api: Client) -> None:
    kept = analyze(api, text="good", record=True).json()["results"][0]["id"]
    url = f"{ANALYSES}/{kept}/feedback"
    for label in ("negative", "neutral"):
        answer = api.post(url, {"label": label, "comment": "ironic"}, content_type=JSON)
        assert answer.status_code == 200
    found = api.get(f"{ANALYSES}/{kept}").json()
    assert (found["right_label"], found["feedback_comment"]) == ("neutral", "ironic")
    assert found["label"] == "positive"
    bad = api.post(url, {"label": "angry"}, content_type=JSON).json()
    assert (bad["code"], bad["field"]) == ("invalid_input", "label")


def test_another_person_s_analysis_is_not_there(api: Client, other_api: Client) -> None:
    kept = analyze(api, text="good", record=True).json()["results"][0]["id"]
    url = f"{ANALYSES}/{kept}"
    assert other_api.get(url).status_code == 404
    assert other_api.delete(url).status_code == 404
    feedback = other_api.post(f"{url}/feedback", {"label": "negative"}, content_type=JSON)
    assert feedback.status_code == 404
    assert other_api.get(ANALYSES).json()["results"] == []
    assert other_api.delete(ANALYSES).status_code == 204
    assert api.get(url).status_code == 200


def test_deleting_one_and_all(api: Client) -> None:
    ids = [
        mood["id"] for mood in analyze(api, texts=["good", "bad"], record=True).json()["results"]
    ]
    assert api.delete(f"{ANALYSES}/{ids[0]}").status_code == 204
    assert api.get(f"{ANALYSES}/{ids[0]}").status_code == 404
    assert api.get(f"{ANALYSES}/{ids[1]}").status_code == 200
    assert api.delete(ANALYSES).status_code == 204
    assert Analysis.objects.count() == 0


@pytest.mark.parametrize("cursor", ["x", "cD0=", "a" * 5000])
def test_a_cursor_that_was_not_given_out_is_refused(api: Client, cursor: str) -> None:
    answer = api.get(f"{ANALYSES}?cursor={cursor}")
    assert (answer.status_code, answer.json()["field"]) == (400, "cursor")
