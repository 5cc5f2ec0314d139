"""A plain request takes a short way through the model server; nobody can tell by the answer."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from discern.catalog.store import Store
from tests.doors.servers import PATIENCE_S, RunningServer, metric, model_server, until
from tests.fakes.bundles import sentiment_store

TOKEN = "a token that is long enough"
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
GOOD = b'{"text": "good good"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home: Path = tmp_path_factory.mktemp("home")
    sentiment_store(home)
    Store(home).activate("words")
    with model_server(home, token=TOKEN, max_body_bytes=2_000) as running:
        yield running


@pytest.fixture
def slow_server(tmp_path: Path) -> Iterator[RunningServer]:
    sentiment_store(tmp_path, slow=True)
    Store(tmp_path).activate("words")
    with model_server(tmp_path, sessions=1, max_batch_items=1, max_wait_s=600) as running:
        yield running


def request(
    body: bytes, *headers: str, line: str = "POST /v1/analyze HTTP/1.1", digits: int = 1
) -> bytes:
    lines = [line, "Host: x", f"Content-Length: {len(body):0{digits}}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def connect(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S)


def answers(raw: socket.socket, count: int = 1) -> list[tuple[bytes, dict[bytes, bytes], bytes]]:
    """Status line, headers and body of each answer; the instant left out."""
    data = b""
    found: list[tuple[bytes, dict[bytes, bytes], bytes]] = []
    while len(found) < count:
        head, end, rest = data.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        length = int(headers.get(b"content-length", b"0"))
        if end and len(rest) >= length:
            headers.pop(b"date")
            found.append((status, headers, rest[:length]))
            data = rest[length:]
            continue
        piece = raw.recv(65_536)
        assert piece, data
        data += piece
    return found


def ended(server: RunningServer, **labels: str) -> float:
    with server.client() as client:
        text = client.get("/metrics").text
    return metric(text, "discern_model_requests_total", endpoint="analyze", **labels)


@pytest.mark.parametrize(
    "data",
    [
        request(GOOD, AUTHORIZATION),
        request(GOOD, AUTHORIZATION, "Connection: keep-alive"),
        request(GOOD, AUTHORIZATION, "Connection: close"),
        request(GOOD, AUTHORIZATION, "Proxy-Connection: close"),
        request(GOOD, AUTHORIZATION, "Content-Type: application/json; charset=utf-8"),
        request('{"text": "gut \\u00fc \U0001f600"}'.encode(), AUTHORIZATION),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: 20"),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: 0"),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: -1"),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: inf"),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: soon"),
        request(GOOD, AUTHORIZATION, "Discern-Deadline-S: 1_0"),
        request(GOOD),
        request(GOOD, "Authorization: Bearer another"),
        request(GOOD, AUTHORIZATION, "Authorization: Bearer another"),
        request(b'{"text": "good", "model": "words"}', AUTHORIZATION),
        request(b'{"text": "good", "model": "none"}', AUTHORIZATION),
        request(b'{"texts": ["good", "bad"]}', AUTHORIZATION),
        request(b'{"text": "good", "texts": []}', AUTHORIZATION),
        request(b'{"text": "good", "more": 1}', AUTHORIZATION),
        request(b'{"text": "  "}', AUTHORIZATION),
        request(b'{"text": 5}', AUTHORIZATION),
        request(b'{"text": null}', AUTHORIZATION),
        request(b'{"text": ["good"]}', AUTHORIZATION),
        request(b'{"text": "\\ud800"}', AUTHORIZATION),
        request(b'["good"]', AUTHORIZATION),
        request(b"{}", AUTHORIZATION),
        request(b"good", AUTHORIZATION),
        request(b"\xff", AUTHORIZATION),
        request(b"", AUTHORIZATION),
        request(json.dumps({"text": "good " * 300}).encode(), AUTHORIZATION),
        request(json.dumps({"text": "good " * 500}).encode(), AUTHORIZATION),
        request(gzip.compress(GOOD), AUTHORIZATION, "Content-Encoding: gzip"),
        request(GOOD, AUTHORIZATION, "Content-Encoding: br"),
        request(GOOD, AUTHORIZATION, line="POST /v1/analyze HTTP/1.0"),
        request(GOOD, AUTHORIZATION, line="POST /v1/analyze?x=1 HTTP/1.1"),
        request(GOOD, AUTHORIZATION, line="PUT /v1/analyze HTTP/1.1"),
        request(GOOD, AUTHORIZATION, line="POST /v1/other HTTP/1.1"),
    ],
)  # fmt: skip
def test_the_answer_is_the_same_however_the_request_arrives(
    server: RunningServer, data: bytes
) -> None:
    head = data.index(b"\r\n\r\n") + 4
    with connect(server) as whole, connect(server) as apart, connect(server) as halved:
        whole.sendall(data)
        apart.sendall(data[:head])  # as many clients do; both still go the short way
        time.sleep(0.01)
        apart.sendall(data[head:])
        halved.sendall(data[:12])  # what is not there at once takes the long way
        time.sleep(0.02)
        halved.sendall(data[12:])
        found = answers(halved)
        assert answers(whole) == found
        assert answers(apart) == found


def test_zeros_before_a_length_change_nothing(server: RunningServer) -> None:
    for line in ("POST /v1/analyze HTTP/1.1", "POST /v1/analyze?long=way HTTP/1.1"):
        with connect(server) as raw:
            raw.sendall(request(GOOD, AUTHORIZATION, line=line, digits=5_000))
            assert answers(raw)[0][0] == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("body", "outcome"), [(GOOD, "ok"), (b'{"text": ""}', "rejected"), (b"{", "rejected")]
)
def test_both_ways_are_counted_alike(server: RunningServer, body: bytes, outcome: str) -> None:
    before, all_before = ended(server, outcome=outcome), ended(server)
    data = request(body, AUTHORIZATION)
    with connect(server) as raw:
        raw.sendall(data)
        answers(raw)
        raw.sendall(data[:30])
        time.sleep(0.02)
        raw.sendall(data[30:])
        answers(raw)
    assert ended(server, outcome=outcome) == before + 2
    assert ended(server) == all_before + 2
    with server.client() as client:
        text = client.get("/metrics").text
    assert metric(text, "discern_requests_in_flight") == 1


def test_what_is_sent_before_the_answer_came_is_answered_in_order(server: RunningServer) -> None:
    texts = ["good", "bad bad", "so so so", "good " * 4, "bad " * 5]
    bodies = [json.dumps({"text": text}).encode() for text in texts]
    requests = [request(body, AUTHORIZATION) for body in bodies]
    for cut in (0, 1, 2, len(requests)):
        with connect(server) as raw:
            if cut:
                raw.sendall(b"".join(requests[:cut]))
            for data in requests[cut:]:
                raw.sendall(data)
            found = [json.loads(body)["results"][0]["tokens"] for _, _, body in answers(raw, 5)]
        assert found == [1, 2, 3, 4, 5]


def test_half_a_request_behind_another_is_waited_for(server: RunningServer) -> None:
    data = request(GOOD, AUTHORIZATION)
    with connect(server) as raw:
        raw.sendall(data + data[:40])
        assert answers(raw)[0][0] == b"HTTP/1.1 200 OK"
        raw.sendall(data[40:])
        assert answers(raw)[0][0] == b"HTTP/1.1 200 OK"


def occupy(server: RunningServer) -> socket.socket:
    """A connection on which many texts wait, one batch each."""
    raw = connect(server)
    with server.client() as client:
        before = metric(client.get("/metrics").text, "discern_requests_in_flight")
        raw.sendall(request(json.dumps({"texts": ["good"] * 400}).encode()))
        until(lambda: metric(client.get("/metrics").text, "discern_requests_in_flight") > before)
    return raw


@pytest.mark.parametrize("seconds", [0.2, 0.8])
def test_a_deadline_is_kept(slow_server: RunningServer, seconds: float) -> None:
    with ExitStack() as occupied, connect(slow_server) as raw:
        for _ in range(4):  # on a fast machine, one would be done before the time is up
            occupied.enter_context(occupy(slow_server))
        started = time.monotonic()
        raw.sendall(request(GOOD, f"Discern-Deadline-S: {seconds}"))
        [(status, _, body)] = answers(raw)
        assert seconds <= time.monotonic() - started
        assert status == b"HTTP/1.1 504 Gateway Timeout"
        assert json.loads(body)["error"]["code"] == "deadline_exceeded"
    assert ended(slow_server, outcome="expired") == 1


def test_who_goes_away_frees_his_place(slow_server: RunningServer) -> None:
    with occupy(slow_server):
        with connect(slow_server) as raw:
            raw.sendall(request(GOOD))
            with slow_server.client() as client:
                until(
                    lambda: metric(client.get("/metrics").text, "discern_requests_in_flight") == 3
                )
        until(lambda: ended(slow_server, outcome="cancelled") == 1)
        with slow_server.client() as client:
            assert metric(client.get("/metrics").text, "discern_requests_in_flight") <= 2


def test_an_end_waits_for_what_was_accepted_and_closes_the_connection(
    slow_server: RunningServer,
) -> None:
    with occupy(slow_server), connect(slow_server) as raw:
        raw.sendall(request(GOOD))
        with slow_server.client() as client:
            until(lambda: metric(client.get("/metrics").text, "discern_requests_in_flight") == 3)
        slow_server.process.terminate()
        [(status, _, body)] = answers(raw)
        assert status == b"HTTP/1.1 200 OK"
        assert json.loads(body)["results"][0]["label"] == "positive"
        assert raw.recv(1) == b""
    assert slow_server.process.wait(PATIENCE_S) == 0
