"""Callers that begin a request and do not go on: they get their answer in time, and free their
place."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from discern.catalog.store import Store
from tests.doors.servers import PATIENCE_S, RunningServer, metric, model_server, until
from tests.fakes.bundles import sentiment_store

MORE_THAN_BUFFERS_HOLD = 500
"""Answers of 10 kB and more, where the kernel keeps 4 MB of them."""
LINES = "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home: Path = tmp_path_factory.mktemp("home")
    sentiment_store(home)
    Store(home).activate("words")
    with model_server(
        home, max_requests=4, max_request_s=1, max_head_s=1, max_unread_s=1
    ) as running:
        yield running


def begin(server: RunningServer, headers: str, body: bytes = b"") -> socket.socket:
    parts = urlsplit(server.url)
    raw = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)
    raw.sendall(f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode() + body)
    return raw


def until_closed(raw: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of the answer on a connection that ends with it."""
    answer = b""
    with raw:
        while piece := raw.recv(65_536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def test_half_sent_bodies_do_not_keep_others_out_for_longer_than_a_request_may_take(
    server: RunningServer,
) -> None:
    begun = time.monotonic()
    held = [begin(server, "Content-Length: 100", b'{"text":') for _ in range(4)]
    for raw in held:
        head, body = until_closed(raw)
        assert head.startswith(b"HTTP/1.1 504")
        assert b"connection: close" in head
        assert json.loads(body)["error"]["code"] == "deadline_exceeded"
    assert time.monotonic() - begun >= 1
    with server.client() as client:
        assert client.post("/v1/analyze", json={"text": "good"}).status_code == 200


@pytest.mark.parametrize("limit", [1, 3])
def test_as_many_requests_as_allowed_are_under_way_and_probes_are_not_among_them(
    tmp_path: Path, limit: int
) -> None:
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    with model_server(tmp_path, max_requests=limit) as server, server.client() as client:

        def under_way() -> float:
            return metric(client.get("/metrics").text, "discern_requests_in_flight") - 1

        held = [begin(server, "Content-Length: 100") for _ in range(limit - 1)]
        until(lambda: under_way() == limit - 1)
        for _ in range(3):
            assert client.post("/v1/analyze", json={"text": "good"}).status_code == 200
        held.append(begin(server, "Content-Length: 100"))
        until(lambda: under_way() == limit)
        refused = client.post("/v1/analyze", json={"text": "good"})
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "overloaded"
        assert refused.json()["error"]["limit"] == limit
        for path in ("/health/live", "/health/ready", "/v2/health/ready", "/metrics"):
            assert client.get(path).status_code == 200
        for raw in held:
            raw.close()
        until(lambda: client.post("/v1/analyze", json={"text": "good"}).status_code == 200)


def test_a_caller_that_would_not_wait_is_not_waited_for(server: RunningServer) -> None:
    raw = begin(server, "Content-Length: 100\r\nDiscern-Deadline-S: 0")
    assert until_closed(raw)[0].startswith(b"HTTP/1.1 504")


def test_a_body_that_comes_in_pieces_in_time_is_read_whole(server: RunningServer) -> None:
    body = b'{"text": "good good"}'
    raw = begin(server, f"Content-Length: {len(body)}\r\nConnection: close")
    for start in range(0, len(body), 5):
        time.sleep(0.02)
        raw.sendall(body[start : start + 5])
    head, answer = until_closed(raw)
    assert head.startswith(b"HTTP/1.1 200")
    assert json.loads(answer)["results"][0]["label"] == "positive"


def test_lines_that_cease_end_with_an_error_and_what_came_is_answered(
    server: RunningServer,
) -> None:
    first = b'"good"\n"ba'
    head, body = until_closed(begin(server, LINES, b"%x\r\n%s\r\n" % (len(first), first)))
    assert head.startswith(b"HTTP/1.1 200")
    answers = [json.loads(line) for line in body.splitlines() if line.startswith(b"{")]
    assert answers[0]["label"] == "positive"
    assert (answers[1]["index"], answers[1]["error"]["code"]) == (1, "deadline_exceeded")


def test_lines_may_go_on_for_longer_than_one_request_may_take(server: RunningServer) -> None:
    raw = begin(server, LINES)
    for _ in range(4):
        raw.sendall(b"7\r\n" + b'"good"\n' + b"\r\n")
        time.sleep(0.4)
    raw.sendall(b"0\r\n\r\n")
    assert until_closed(raw)[1].count(b'"label":"positive"') == 4


def test_lines_end_when_their_caller_waits_no_longer(server: RunningServer) -> None:
    raw = begin(server, f"{LINES}\r\nDiscern-Deadline-S: 0.3", b"7\r\n" + b'"good"\n' + b"\r\n")
    started = time.monotonic()
    assert b"deadline_exceeded" in until_closed(raw)[1]
    assert 0.2 < time.monotonic() - started < 0.9


def test_lines_whose_time_is_up_are_timed_as_failures(server: RunningServer) -> None:
    def failures() -> int:
        with server.client() as client:
            [stats] = client.get("/v2/models/words/stats").json()["model_stats"]
        return int(stats["inference_stats"]["fail"]["count"])

    before = failures()
    late = "Content-Type: application/x-ndjson\r\nDiscern-Deadline-S: 0\r\nContent-Length: 6"
    assert b"deadline_exceeded" in until_closed(begin(server, late, b'"good"'))[1]
    assert failures() == before + 1


@pytest.mark.parametrize("begun", [b"P", b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nX-Slow: "])
@pytest.mark.parametrize("before", [b"", b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_half_sent_headers_end_with_an_answer_however_slowly_they_go_on(
    server: RunningServer, begun: bytes, before: bytes
) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=0.2) as raw:
        raw.sendall(before)
        if before:
            assert raw.recv(65_536).startswith(b"HTTP/1.1 200")
        started = time.monotonic()
        raw.sendall(begun)
        answer, last = b"", False
        while not last:
            assert time.monotonic() - started < PATIENCE_S
            try:
                piece = raw.recv(65_536)
            except TimeoutError:
                if len(begun) > 1:
                    raw.sendall(b"x")
                continue
            answer, last = answer + piece, not piece
    assert time.monotonic() - started >= 1
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"connection: close" in head
    assert json.loads(body)["error"]["code"] == "deadline_exceeded"


def is_cut_off(raw: socket.socket, ask: bytes) -> bool:
    try:
        raw.sendall(ask)
    except ConnectionError:
        return True
    return False


def test_who_does_not_read_the_answers_is_cut_off(server: RunningServer) -> None:
    parts = urlsplit(server.url)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(PATIENCE_S)
        raw.connect((parts.hostname, parts.port))
        ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        started = time.monotonic()
        raw.sendall(ask * MORE_THAN_BUFFERS_HOLD)
        until(lambda: is_cut_off(raw, ask))
        assert time.monotonic() - started >= 1
    with server.client() as client:
        assert client.post("/v1/analyze", json={"text": "good"}).status_code == 200


def test_who_reads_slowly_gets_it_all(server: RunningServer) -> None:
    parts = urlsplit(server.url)
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect((parts.hostname, parts.port))
        raw.settimeout(PATIENCE_S)
        body = json.dumps({"texts": ["good"] * 1000}).encode()
        raw.sendall(
            b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        data = b""
        for _ in range(6):
            time.sleep(0.4)
            data += raw.recv(2048)
        while piece := raw.recv(65_536):
            data += piece
    assert len(json.loads(data.partition(b"\r\n\r\n")[2])["results"]) == 1000
