"""The Flask door, over the table of good and bad inputs that all doors share."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import discern.flask as door
from discern.errors import DiscernError, Overloaded, errors_by_code
from tests.doors.inputs import BAD_BODIES, GOOD_TEXTS, BadBody, statuses_of
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
def test_every_bad_body_is_a_json_error_with_its_status_and_code(
    client: FlaskClient, bad: BadBody
) -> None:
    response = client.post("/analyze", data=bad.body, content_type="application/json")
    body = response.get_json()
    assert response.status_code == bad.status
    assert body["error"]
    # Callers of the plain recipe compare with the whole answer to a missing or blank text.
    assert body.get("code") == (None if bad.code == "empty_input" else bad.code)


@pytest.mark.parametrize("body", [{}, {"text": ""}, {"text": "  \n"}])
def test_a_missing_or_blank_text_is_told_so(client: FlaskClient, body: object) -> None:
    response = client.post("/analyze", json=body)
    assert (response.status_code, response.get_json()) == (400, {"error": "No text provided"})


@pytest.fixture(params=[None, 16_000_000, 2_000])
def host(request: pytest.FixtureRequest, engine: WordEngine) -> Flask:
    """An application with routes of its own, and without, with a higher or with a lower limit."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = request.param
    app.register_blueprint(door.blueprint(engine, url_prefix="/ai"))
    return app


def test_a_body_over_the_limit_is_413_in_json(client: FlaskClient) -> None:
    response = client.post("/analyze", json={"text": "x" * door.MAX_BODY_BYTES})
    assert response.status_code == 413
    assert "1,000,000" in response.get_json()["error"]
    assert response.get_json()["code"] == "too_large"


def test_the_blueprint_keeps_the_limit_in_any_application(host: Flask, engine: WordEngine) -> None:
    limit = min(host.config["MAX_CONTENT_LENGTH"] or door.MAX_BODY_BYTES, door.MAX_BODY_BYTES)
    body = b'{"text": "good"}'
    fits = host.test_client().post("/ai/analyze", data=body.ljust(limit))
    assert fits.status_code == 200
    over = host.test_client().post("/ai/analyze", data=body.ljust(limit + 1))
    assert over.status_code == 413
    assert over.get_json() == {
        "error": f"The body is larger than {limit:,} bytes.",
        "code": "too_large",
    }
    assert len(engine.calls) == 1


def test_a_body_in_chunks_over_the_limit_is_not_cut_and_called_bad_json(host: Flask) -> None:
    limit = min(host.config["MAX_CONTENT_LENGTH"] or door.MAX_BODY_BYTES, door.MAX_BODY_BYTES)

    def sent(text: str) -> TestResponse:
        return host.test_client().post(
            "/ai/analyze",
            input_stream=io.BytesIO(json.dumps({"text": text}).encode()),
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )

    assert sent("good").status_code == 200
    refused = sent("x" * limit)
    assert (refused.status_code, refused.get_json()["code"]) == (413, "too_large")


def test_the_content_type_does_not_matter_for_json(client: FlaskClient) -> None:
    response = client.post("/analyze", data='{"text": "good"}', content_type="text/plain")
    assert response.status_code == 200


def test_a_wrong_path_is_json_too(client: FlaskClient) -> None:
    response = client.get("/nowhere")
    assert (response.status_code, response.get_json()["code"]) == (404, "not_found")
    assert response.get_json()["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_wrong_method_is_json_with_the_right_ones_in_any_application(
    host: Flask, engine: WordEngine, method: str
) -> None:
    response = host.test_client().open("/ai/analyze", method=method)
    assert response.status_code == 405
    assert response.get_json()["code"] == "method_not_allowed"
    assert response.get_json()["error"]
    assert response.headers["Allow"] == "OPTIONS, POST"


def test_options_and_head_name_the_right_methods(host: Flask) -> None:
    for method, status in (("OPTIONS", 200), ("HEAD", 405)):
        response = host.test_client().open("/ai/analyze", method=method)
        assert (response.status_code, response.data) == (status, b"")
        assert response.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.0, "1"), (0.2, "1"), (1, "1"), (1.4, "2"), (2, "2"), (2.01, "3")]
)
def test_an_overloaded_engine_is_503_with_retry_after_never_too_early(
    client: FlaskClient, engine: WordEngine, seconds: float, told: str
) -> None:
    engine.failure = Overloaded("The queue is full.", retry_after_s=seconds)
    response = client.post("/analyze", json={"text": "good"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == told
    assert response.get_json() == {"error": "The queue is full.", "code": "overloaded"}


@pytest.mark.parametrize("code", errors_by_code())
def test_every_core_error_has_a_json_answer(
    client: FlaskClient, engine: WordEngine, code: str
) -> None:
    engine.failure = errors_by_code()[code]("what happened")
    response = client.post("/analyze", json={"text": "good"})
    assert response.status_code == statuses_of("flask")[code]
    assert response.get_json()["code"] == code


def test_the_table_names_all_codes_that_exist_and_no_others() -> None:
    assert door.STATUS.keys() == errors_by_code().keys()


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
