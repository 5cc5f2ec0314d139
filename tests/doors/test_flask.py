"""The Flask door, over the table of good and bad inputs that all doors share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

import discern.flask as door
from discern.errors import DiscernError, Overloaded, errors_by_code
from tests.doors.inputs import BAD_BODIES, GOOD_TEXTS, BadBody
from tests.fakes.engine import WordEngine


@pytest.fixture
def engine() -> WordEngine:
    return WordEngine()


@pytest.fixture
def client(engine: WordEngine) -> Iterator[FlaskClient]:
    with door.create_app(engine).test_client() as client:
        yield client


@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_a_text_is_answered_with_text_sentiment_and_score(client: FlaskClient, text: str) -> None:
    response = client.post("/analyze", json={"text": text})
    assert response.status_code == 200
    body = response.get_json()
    assert set(body) == {"text", "sentiment", "score"}
    assert body["text"] == text
    assert body["sentiment"] in {"NEGATIVE", "NEUTRAL", "POSITIVE"}
    assert 0 <= body["score"] <= 1


@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_every_bad_body_is_a_json_error_of_the_caller(client: FlaskClient, bad: BadBody) -> None:
    response = client.post("/analyze", data=bad.body, content_type="application/json")
    assert 400 <= response.status_code < 500
    assert response.is_json
    assert response.get_json()["error"]


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  \n"}])
def test_a_missing_or_blank_text_is_told_so(client: FlaskClient, body: object) -> None:
    response = client.post("/analyze", json=body)
    assert (response.status_code, response.get_json()) == (400, {"error": "No text provided"})


def test_a_body_over_the_limit_is_413_in_json(client: FlaskClient) -> None:
    response = client.post("/analyze", json={"text": "x" * door.MAX_BODY_BYTES})
    assert response.status_code == 413
    assert "1,000,000" in response.get_json()["error"]


def test_the_content_type_does_not_matter_for_json(client: FlaskClient) -> None:
    response = client.post("/analyze", data='{"text": "good"}', content_type="text/plain")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("get", "/analyze", 405), ("get", "/nowhere", 404)]
)
def test_wrong_paths_and_methods_are_json_too(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == status
    assert response.get_json()["error"]


def test_an_overloaded_engine_is_503_with_retry_after(
    client: FlaskClient, engine: WordEngine
) -> None:
    engine.failure = Overloaded("The queue is full.", retry_after_s=2)
    response = client.post("/analyze", json={"text": "good"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "2"
    assert response.get_json() == {"error": "The queue is full.", "code": "overloaded"}


@pytest.mark.parametrize("code", errors_by_code())
def test_every_core_error_has_a_json_answer(
    client: FlaskClient, engine: WordEngine, code: str
) -> None:
    engine.failure = errors_by_code()[code]("what happened")
    response = client.post("/analyze", json={"text": "good"})
    assert response.status_code == door.STATUS.get(code, 500)
    assert response.get_json()["code"] == code


def test_the_table_names_only_codes_that_exist() -> None:
    assert set(door.STATUS) <= set(errors_by_code())


def test_the_blueprint_fits_an_app_that_has_routes_of_its_own(engine: WordEngine) -> None:
    app = Flask(__name__)
    app.register_blueprint(door.blueprint(engine, url_prefix="/ai"))
    client = app.test_client()
    assert client.post("/ai/analyze", json={"text": "good"}).status_code == 200
    assert client.post("/ai/analyze", json=[1]).get_json()["code"] == "invalid_input"
    assert not client.get("/nowhere").is_json


def test_the_engine_is_asked_once_for_a_request(client: FlaskClient, engine: WordEngine) -> None:
    client.post("/analyze", json={"text": "good"})
    assert engine.calls == [["good"]]


def test_an_error_outside_the_family_is_not_shown_to_the_caller(
    client: FlaskClient, engine: WordEngine
) -> None:
    engine.failure = DiscernError("a fault of ours")
    assert client.post("/analyze", json={"text": "good"}).status_code == 500
