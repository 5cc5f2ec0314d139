"""All doors, over one table of good and bad inputs: the same texts, the same answers, the same
codes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

import discern.flask
from discern import pipeline
from discern.cli import cli
from discern.engine.local import LocalEngine
from discern.errors import DiscernError, errors_by_code
from discern.model_server import statuses
from discern.web.api import problems
from tests.doors.conftest import Doors
from tests.doors.inputs import BAD_BODIES, BAD_TEXTS, GOOD_TEXTS, BadBody, BadText, statuses_of

JSON = {"Content-Type": "application/json"}
# Two processes may sum in another order; the promise between them is that of a batch.
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def engine() -> Any:
    engine = LocalEngine()
    yield engine
    engine.close()


def post(client: httpx.Client, path: str, body: bytes) -> httpx.Response:
    return client.post(path, content=body, headers=JSON)


def of_web(doors: Doors, text: str) -> dict[str, float]:
    response = doors.web.post("/api/v1/analyze", json={"text": text})
    assert response.status_code == 200, response.text
    scores: dict[str, float] = response.json()["results"][0]["scores"]
    return scores


def of_model_server(doors: Doors, text: str) -> dict[str, float]:
    response = doors.model_server.post("/v1/analyze", json={"texts": [text]})
    assert response.status_code == 200, response.text
    scores: dict[str, float] = response.json()["results"][0]["scores"]
    return scores


def of_pipeline(engine: LocalEngine, text: str) -> dict[str, float]:
    rows = pipeline("sentiment-analysis", engine=engine)(text, top_k=None)
    return {row["label"].lower(): row["score"] for row in rows}


def refusal_of_flask(body: dict[str, str]) -> str:
    """The code; a text that is missing or blank has none, only the words that the page promises."""
    return "empty_input" if body == {"error": "No text provided"} else body["code"]


def of_command_line(text: str) -> dict[str, float]:
    result = CliRunner().invoke(cli, ["analyze", "--json", "--", text])
    scores: dict[str, float] = json.loads(result.stdout)["scores"]
    return scores


@pytest.mark.slow
@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_every_door_gives_a_text_the_same_scores(
    doors: Doors, engine: LocalEngine, text: str
) -> None:
    [mood] = engine.analyze([text])
    expected = pytest.approx(dict(mood.scores), abs=TOLERANCE)
    assert of_web(doors, text) == expected
    assert of_model_server(doors, text) == expected
    assert of_pipeline(engine, text) == expected
    assert of_command_line(text) == expected
    client = discern.flask.create_app(engine).test_client()
    answer = client.post("/analyze", json={"text": text}).get_json()
    assert answer["score"] == pytest.approx(mood.score, abs=TOLERANCE)
    assert answer["sentiment"] == mood.label.upper()


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_every_http_door_refuses_a_bad_body_by_the_same_status_and_code(
    doors: Doors, engine: LocalEngine, bad: BadBody
) -> None:
    web = post(doors.web, "/api/v1/analyze", bad.body)
    assert (web.status_code, web.json()["code"]) == (bad.status, bad.code)
    assert web.headers["Content-Type"] == "application/problem+json"
    server = post(doors.model_server, "/v1/analyze", bad.body)
    assert (server.status_code, server.json()["error"]["code"]) == (bad.status, bad.code)
    client = discern.flask.create_app(engine).test_client()
    flask = client.post("/analyze", data=bad.body, content_type="application/json")
    assert flask.status_code == bad.status
    assert refusal_of_flask(flask.get_json()) == bad.code


@pytest.mark.parametrize(
    ("door", "table"),
    [
        ("flask", discern.flask.STATUS),
        ("model_server", statuses.STATUS),
        ("web", problems.STATUS_BY_CODE),
    ],
)
def test_each_http_door_has_the_promised_status_for_every_core_error(
    door: str, table: Mapping[str, int]
) -> None:
    expected = statuses_of(door)
    assert expected.keys() == errors_by_code().keys()
    assert {code: table.get(code) for code in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("bad", BAD_TEXTS, ids=lambda bad: bad.name)
def test_every_door_refuses_a_bad_text_by_the_same_code(
    doors: Doors, engine: LocalEngine, bad: BadText
) -> None:
    web = doors.web.post("/api/v1/analyze", json={"texts": ["fine", bad.text]}).json()
    assert (web["code"], web["field"]) == (bad.code, "texts[1]")
    server = doors.model_server.post("/v1/analyze", json={"texts": ["fine", bad.text]})
    assert server.json()["error"]["code"] == bad.code
    assert server.json()["error"]["field"] == "texts[1]"
    with pytest.raises(DiscernError) as caught:
        pipeline("sentiment-analysis", engine=engine)(["fine", bad.text])
    assert caught.value.code == bad.code
    result = CliRunner().invoke(cli, ["analyze", "--json", "--", "fine", bad.text])
    assert json.loads(result.stdout.splitlines()[1])["error"]["code"] == bad.code


@pytest.mark.slow
def test_a_text_gets_the_same_scores_alone_and_in_any_batch(engine: LocalEngine) -> None:
    texts = [
        "I love how quick this is.",
        "The waiter forgot us twice, and the soup was cold.",
        "ok",
        "word " * 700,
        "The train leaves at nine from platform four, as it does every day. " * 3,
    ] * 9
    together = engine.analyze(texts)
    for text, mood in zip(texts[:5], together, strict=False):
        [alone] = engine.analyze([text])
        assert dict(alone.scores) == pytest.approx(dict(mood.scores), abs=1e-3)
    for first, second in zip(together[:5], together[5:10], strict=True):
        assert dict(first.scores) == pytest.approx(dict(second.scores), abs=1e-3)
