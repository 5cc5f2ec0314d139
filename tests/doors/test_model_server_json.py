from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from discern.errors import (
    DeadlineExceeded,
    DiscernError,
    Draining,
    EngineUnreachable,
    InvalidInput,
    ModelNotReady,
    Overloaded,
    errors_by_code,
)
from discern.model_server.exchange import error_headers
from discern.model_server.settings import load_settings
from discern.model_server.statuses import STATUS
from discern.text.contract import MAX_TEXT_CHARS, MAX_TEXTS
from tests.doors.inputs import BAD_BODIES, GOOD_TEXTS, BadBody
from tests.doors.servers import RunningServer, metric, model_server
from tests.fakes.bundles import sentiment_store

TOKEN = "a-token-for-the-tests"
LIMIT = 1_300_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    sentiment_store(home)
    _only(home)
    with model_server(home, token=TOKEN, max_body_bytes=LIMIT) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[httpx.Client]:
    with server.client() as made:
        yield made


def _only(home: Path) -> None:
    """Makes the little model the active one, before the one shipped with the package."""
    from discern.catalog.store import Store

    Store(home).activate("words")


def error_of(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert error["code"]
    assert error["message"]
    assert response.status_code == STATUS[error["code"]]
    return error


def test_one_text_and_many_are_answered_in_order_with_all_scores(client: httpx.Client) -> None:
    one = client.post("/v1/analyze", json={"text": "good good"})
    assert one.status_code == 200
    assert one.json()["model"] == {"name": "words", "version": "1.0.0"}
    [result] = one.json()["results"]
    assert result["label"] == "positive"
    assert list(result["scores"]) == ["negative", "neutral", "positive"]
    assert sum(result["scores"].values()) == pytest.approx(1)
    assert (result["windows"], result["tokens"]) == (1, 2)
    many = client.post("/v1/analyze", json={"texts": ["bad bad", "good good", "so"] * 30})
    labels = [item["label"] for item in many.json()["results"]]
    assert labels == ["negative", "positive", "neutral"] * 30


@pytest.mark.parametrize("text", GOOD_TEXTS)
def test_good_texts_are_answered(client: httpx.Client, text: str) -> None:
    response = client.post("/v1/analyze", json={"text": text, "model": "words"})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("bad", BAD_BODIES, ids=lambda bad: bad.name)
def test_bad_bodies_get_the_core_error_as_json(client: httpx.Client, bad: BadBody) -> None:
    assert error_of(client.post("/v1/analyze", content=bad.body))["code"] == bad.code


@pytest.mark.parametrize(
    ("body", "code", "field", "limit"),
    [
        ({"texts": []}, "empty_input", "texts", None),
        ({"texts": ["good", " "]}, "empty_input", "texts[1]", None),
        ({"texts": ["good", 3]}, "invalid_input", "texts[1]", None),
        ({"texts": "good"}, "invalid_input", "texts", None),
        ({"texts": ["x"] * (MAX_TEXTS + 1)}, "too_large", "texts", MAX_TEXTS),
        ({"text": "x" * (MAX_TEXT_CHARS + 1)}, "too_large", "text", MAX_TEXT_CHARS),
        ({"text": "good", "texts": ["good"]}, "invalid_input", "texts", None),
        ({"text": "good", "mode": "fast"}, "invalid_input", "mode", None),
        ({"text": "good", "model": 3}, "invalid_input", "model", None),
        ({"text": "good", "model": "nope"}, "model_not_found", "model", None),
        ({"text": "x" * LIMIT}, "too_large", "body", LIMIT),
    ],
)
def test_errors_name_the_field_and_the_limit(
    client: httpx.Client, body: object, code: str, field: str, limit: int | None
) -> None:
    error = error_of(client.post("/v1/analyze", json=body))
    assert (error["code"], error["field"], error.get("limit")) == (code, field, limit)


def test_a_body_sent_in_pieces_without_a_length_is_held_to_the_limit(client: httpx.Client) -> None:
    pieces = (b" " * 100_000 for _ in range(20))
    assert error_of(client.post("/v1/analyze", content=pieces))["code"] == "too_large"
    small = (part for part in (b'{"text":', b' "good"}'))
    assert client.post("/v1/analyze", content=small).status_code == 200


def test_compressed_bodies_are_read_and_held_to_the_limit_unpacked(client: httpx.Client) -> None:
    body = json.dumps({"text": "good"}).encode()
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        headers = {"Content-Encoding": encoding}
        assert client.post("/v1/analyze", content=packed, headers=headers).status_code == 200
        bomb = (
            gzip.compress(b" " * LIMIT * 4)
            if encoding == "gzip"
            else zlib.compress(b" " * LIMIT * 4)
        )
        assert error_of(client.post("/v1/analyze", content=bomb, headers=headers))["limit"] == LIMIT
        cut = client.post("/v1/analyze", content=packed[:-5], headers=headers)
        assert error_of(cut)["code"] == "invalid_input"
    strange = client.post("/v1/analyze", content=body, headers={"Content-Encoding": "br"})
    assert error_of(strange)["code"] == "unsupported_media"


def test_the_token_is_asked_for_everywhere_but_at_the_probes(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url) as stranger:
        for method, path in (
            ("POST", "/v1/analyze"),
            ("GET", "/v1/models"),
            ("GET", "/v2"),
            ("POST", "/v2/models/words/infer"),
            ("GET", "/v2/models/words"),
            ("GET", "/v2/models/stats"),
            ("GET", "/metrics"),
            ("GET", "/nothing/here"),
        ):
            response = stranger.request(method, path)
            assert response.status_code == 401, path
            assert response.headers["www-authenticate"] == "Bearer"
        wrong = stranger.post("/v1/analyze", headers={"Authorization": f"Bearer {TOKEN}x"})
        assert error_of(wrong)["code"] == "unauthorized"
        for path in ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"):
            assert stranger.get(path).status_code == 200
            assert stranger.head(path).status_code == 200


def test_unknown_paths_and_methods_are_json_errors(client: httpx.Client) -> None:
    assert error_of(client.get("/nothing/here"))["code"] == "not_found"
    for method, path, allowed in (
        ("GET", "/v1/analyze", "POST"),
        ("DELETE", "/health/live", "GET, HEAD"),
    ):
        refused = client.request(method, path)
        assert error_of(refused)["code"] == "method_not_allowed"
        assert refused.headers["allow"] == allowed


def test_the_models_are_listed_with_their_states(client: httpx.Client) -> None:
    models = client.get("/v1/models").json()["models"]
    assert {"name": "words", "version": "1.0.0", "task": "sentiment-analysis", "state": "ready",
            "reason": None} in models  # fmt: skip


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf", "1e999", "1_0", "+1", "1e", "."])
def test_a_deadline_that_is_no_number_is_refused(client: httpx.Client, value: str) -> None:
    headers = {"Discern-Deadline-S": value}
    response = client.post("/v1/analyze", json={"text": "good"}, headers=headers)
    assert error_of(response)["field"] == "Discern-Deadline-S"


@pytest.mark.parametrize("value", ["20", "1e1", "20.", ".9e+1", "0.00002000000000000001E6"])
@pytest.mark.parametrize("path", ["/v1/analyze", "/v1/analyze?long"])
def test_a_deadline_is_a_decimal_number(client: httpx.Client, value: str, path: str) -> None:
    headers = {"Discern-Deadline-S": value}
    assert client.post(path, json={"text": "good"}, headers=headers).status_code == 200


def test_a_deadline_already_past_is_answered_as_such(client: httpx.Client) -> None:
    headers = {"Discern-Deadline-S": "0"}
    response = client.post("/v1/analyze", json={"text": "good"}, headers=headers)
    assert error_of(response)["code"] == "deadline_exceeded"
    assert response.status_code == 504


def test_lines_are_answered_in_order_and_a_bad_one_costs_only_itself(client: httpx.Client) -> None:
    lines = [
        '"good good"',
        '{"text": "bad bad", "id": 7}',
        "",
        '{"id": "x"}',
        "nope",
        "3",
        '{"text": " "}',
        *(f'{{"text": "good", "id": {index}}}' for index in range(200)),
        '"bad"',
    ]
    response = client.post(
        "/v1/analyze",
        content="\n".join(lines).encode(),
        headers={"Content-Type": "application/x-ndjson"},
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer["index"] for answer in answers] == list(range(len(answers)))
    assert [answer.get("label") for answer in answers[:2]] == ["positive", "negative"]
    assert answers[1]["id"] == 7
    assert [answer["error"]["code"] for answer in answers[2:6]] == [
        "empty_input",
        "invalid_input",
        "invalid_input",
        "empty_input",
    ]
    assert answers[2]["id"] == "x"
    assert [answer["id"] for answer in answers[6:206]] == list(range(200))
    assert answers[206]["label"] == "negative"


def test_a_field_that_a_line_has_not_is_an_error_of_that_line(client: httpx.Client) -> None:
    response = client.post(
        "/v1/analyze",
        content=b'{"text": "good", "model": "other", "id": 1}\n{"text": "good"}\n',
        headers={"Content-Type": "application/x-ndjson"},
    )
    first, second = [json.loads(line) for line in response.text.splitlines()]
    assert (first["error"]["code"], first["error"]["field"]) == ("invalid_input", "model")
    assert (first["id"], second["label"]) == (1, "positive")


def test_compressed_lines_are_refused_as_such(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
    response = client.post("/v1/analyze", content=gzip.compress(b'"good"'), headers=headers)
    assert error_of(response)["code"] == "unsupported_media"
    plain = client.post(
        "/v1/analyze", content=b'"good"', headers=headers | {"Content-Encoding": "identity"}
    )
    assert plain.json()["label"] == "positive"


def test_lines_are_answered_while_more_are_still_coming(server: RunningServer) -> None:
    import socket
    from urllib.parse import urlsplit

    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as raw:
        raw.sendall(
            f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        received = b""
        for word in (b"positive", b"negative"):
            line = b'"good"\n' if word == b"positive" else b'"bad bad"\n'
            raw.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            while b'"label":"' + word not in received:
                received += raw.recv(4096)
        raw.sendall(b"0\r\n\r\n")
        while b"0\r\n\r\n" not in received:
            received += raw.recv(4096)


def test_a_line_longer_than_any_text_ends_the_stream_with_its_limit(client: httpx.Client) -> None:
    pieces = (b"x" * 100_000 for _ in range(14))
    headers = {"Content-Type": "application/x-ndjson"}
    response = client.post("/v1/analyze", content=pieces, headers=headers)
    [answer] = [json.loads(line) for line in response.text.splitlines()]
    assert answer["error"]["code"] == "too_large"


def test_requests_are_counted_by_how_they_ended(client: httpx.Client) -> None:
    def counts() -> tuple[float, ...]:
        text = client.get("/metrics").text
        return (
            metric(text, "discern_model_requests_total", endpoint="analyze", outcome="ok"),
            metric(text, "discern_model_requests_total", endpoint="analyze", outcome="rejected"),
            metric(text, "discern_model_requests_total", endpoint="analyze", outcome="expired"),
            metric(text, "model_prediction_seconds_count", model_name="words"),
            metric(text, "discern_batch_items_sum", model_name="words"),
            metric(text, "discern_tokenize_seconds_count", model_name="words"),
        )

    before = counts()
    client.post("/v1/analyze", json={"texts": ["good", "bad", "so"]})
    client.post("/v1/analyze", json={"text": 3})
    client.post("/v1/analyze", json={"text": "good"}, headers={"Discern-Deadline-S": "0"})
    after = counts()
    assert [b - a for a, b in zip(before, after, strict=True)][:3] == [1, 1, 1]
    assert after[3] - before[3] in (1, 2)  # what expired is timed, if its body came in one piece
    assert after[4] - before[4] == 3
    assert after[5] > before[5]
    text = client.get("/metrics").text
    assert metric(text, "discern_model_load_seconds", model_name="words") > 0
    assert metric(text, "discern_queue_wait_seconds_count", model_name="words") > 0
    assert metric(text, "discern_requests_in_flight") == 1  # the scrape itself


def test_lines_are_timed_as_calls_of_the_model(client: httpx.Client) -> None:
    def counts() -> tuple[float, ...]:
        text = client.get("/metrics").text
        [stats] = client.get("/v2/models/words/stats").json()["model_stats"]
        return (
            metric(text, "model_prediction_seconds_count", model_name="words"),
            metric(text, "discern_tokenize_seconds_count", model_name="words"),
            stats["inference_stats"]["success"]["count"],
            stats["inference_stats"]["fail"]["count"],
        )

    before = counts()
    headers = {"Content-Type": "application/x-ndjson"}
    client.post("/v1/analyze", content=b'"good"\n"bad"\n3', headers=headers)
    assert [b - a for a, b in zip(before, counts(), strict=True)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Overloaded("full", retry_after_s=0.01), b"1"),
        (Overloaded("full", retry_after_s=2.2), b"3"),
        (Draining("leaving"), b"1"),
        (ModelNotReady("not yet"), b"1"),
        (EngineUnreachable("away"), b"1"),
        (InvalidInput("wrong"), None),
        (DeadlineExceeded("late"), None),
    ],
)
def test_whoever_may_come_back_is_told_when_in_seconds_rounded_up(
    error: DiscernError, seconds: bytes | None
) -> None:
    assert dict(error_headers(error)).get(b"retry-after") == seconds


def test_every_core_error_has_a_status() -> None:
    assert errors_by_code().keys() <= STATUS.keys()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"port": "70000"}, "PORT"),
        ({"workers": "0"}, "WORKERS"),
        ({"token": "short"}, "TOKEN"),
        ({"tasks": "magic"}, "TASKS"),
        ({"max_wait_s": "-1"}, "MAX_WAIT_S"),
        ({"provider": "tpu"}, "PROVIDER"),
        ({"host": "0.0.0.0", "repository": "true"}, "repository"),
        ({"workers": "2", "repository": "true"}, "repository"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], name: str
) -> None:
    from discern.errors import ConfigurationInvalid

    for key, value in values.items():
        monkeypatch.setenv(f"DISCERN_MODEL_SERVER_{key.upper()}", value)
    with pytest.raises(ConfigurationInvalid, match=name) as caught:
        load_settings()
    assert "short" not in caught.value.message
