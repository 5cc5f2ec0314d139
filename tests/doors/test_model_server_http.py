"""Clients that speak HTTP oddly, wrongly or without end get an answer, and cost nobody else any."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from discern.catalog.store import Store
from discern.model_server.parsing import MOST_HEAD_BYTES
from tests.doors.servers import RunningServer, model_server
from tests.fakes.bundles import sentiment_store

TOKEN = "a token that is long enough"
AUTHORIZATION = f"Authorization: Bearer {TOKEN}"
GOOD = b'{"text": "good good"}'
CHUNKED = b"15\r\n" + GOOD + b"\r\n0\r\n"
H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home: Path = tmp_path_factory.mktemp("home")
    sentiment_store(home)
    Store(home).activate("words")
    with model_server(home, token=TOKEN) as running:
        yield running


def head(*headers: str, line: str = "POST /v1/analyze HTTP/1.1") -> bytes:
    return "\r\n".join([line, "Host: x", *headers, "", ""]).encode()


def request(*headers: str, line: str = "POST /v1/analyze HTTP/1.1") -> bytes:
    return head(f"Content-Length: {len(GOOD)}", AUTHORIZATION, *headers, line=line) + GOOD


LAST = request("Connection: close")


def answer_to(server: RunningServer, *pieces: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    parts = urlsplit(server.url)
    data = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        try:
            for piece in pieces:
                raw.sendall(piece)
                time.sleep(0.02)
            while received := raw.recv(65_536):
                data += received
        except ConnectionError:
            pass
    return data


def flood(raw: socket.socket) -> None:
    for _ in range(1024):
        raw.sendall(b"a" * 16_384)
        time.sleep(0.001)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param([b"POST /v1/analyze HTTP/1.1\r\nX: "], id="a header"),
        pytest.param([b"POST /v1/analyze?"], id="a path"),
        pytest.param(
            [head(AUTHORIZATION, "Transfer-Encoding: chunked") + CHUNKED + b"X: "], id="a trailer"
        ),
        pytest.param(
            [head(AUTHORIZATION, "Transfer-Encoding: chunked"), b"15;x="], id="a chunk's extension"
        ),
    ],
)  # fmt: skip
def test_what_is_no_body_may_not_go_on_without_end(
    server: RunningServer, kind: list[bytes]
) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        for first in kind:
            raw.sendall(first)
        with pytest.raises(ConnectionError):
            flood(raw)


def test_a_head_that_grows_too_long_is_told_so_before_its_time_is_up(
    server: RunningServer,
) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
        raw.sendall(b"POST /v1/analyze HTTP/1.1\r\nX: " + b"a" * (MOST_HEAD_BYTES - 100))
        time.sleep(0.05)
        raw.sendall(b"a" * 200)
        data = b""
        while received := raw.recv(65_536):
            data += received
    begun, _, body = data.partition(b"\r\n\r\n")
    assert begun.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"connection: close" in begun
    error = json.loads(body)["error"]
    assert (error["code"], error["limit"]) == ("too_large", MOST_HEAD_BYTES)


def test_a_long_head_within_the_limit_and_a_long_body_are_read(server: RunningServer) -> None:
    long = request(f"X: {'a' * 60_000}", "Connection: close", line="POST /v1/analyze?x HTTP/1.1")
    data = answer_to(server, long[:30_000], long[30_000:50_000], long[50_000:])
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    texts = json.dumps({"texts": ["good " * 1000] * 50}).encode()
    begun = head(f"Content-Length: {len(texts)}", AUTHORIZATION, "Connection: close")
    assert answer_to(server, begun, texts).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("line", ["POST /v1/analyze HTTP/1.1", "POST /v1/analyze?x HTTP/1.1"])
def test_a_wish_for_another_protocol_costs_a_request_neither_its_body_nor_its_connection(
    server: RunningServer, line: str
) -> None:
    wishing = request(*H2C, line=line)
    expected = answer_to(server, LAST).partition(b"\r\n\r\n")[2]
    for pieces in ([wishing, LAST], [wishing + LAST], [wishing[:40], wishing[40:-5],
                   wishing[-5:] + wishing + LAST]):  # fmt: skip
        data = answer_to(server, *pieces)
        assert data.count(b"HTTP/1.1 200 OK\r\n") == b"".join(pieces).count(GOOD), data
        assert data.endswith(expected)
    chunked = head(AUTHORIZATION, *H2C, "Transfer-Encoding: chunked", line=line) + CHUNKED + b"\r\n"
    assert answer_to(server, chunked, LAST).count(b"HTTP/1.1 200 OK\r\n") == 2
    closing = request("Connection: Upgrade, close", "Upgrade: websocket", line=line)
    assert answer_to(server, closing).endswith(expected)


def test_what_comes_behind_a_body_is_no_header(server: RunningServer) -> None:
    begun = head("Transfer-Encoding: chunked", "Connection: close")
    stranger = begun + CHUNKED + AUTHORIZATION.encode() + b"\r\n\r\n"
    assert answer_to(server, stranger).startswith(b"HTTP/1.1 401 ")
    known = head("Transfer-Encoding: chunked", "Connection: close", AUTHORIZATION)
    assert answer_to(server, known + CHUNKED + b"Authorization: none\r\n\r\n").startswith(
        b"HTTP/1.1 200 "
    )


@pytest.mark.parametrize(
    "data",
    [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        head("Content-Length: 21", "Transfer-Encoding: chunked") + CHUNKED,
        head("Content-Length: 21", "Content-Length: 22") + GOOD,
        head("Content-Length: 21, 21") + GOOD,
        head("Content-Length: -1"),
        head(AUTHORIZATION, "X: y", " folded", "Content-Length: 21") + GOOD,
        head("Content-Length : 21") + GOOD,
        request().replace(b"\r\n", b"\n"),
        b"POST /v1/analyze HTTP/1.1\r\nContent-Length: 5\n\nhello\r\n\r\nhello",
        head(line="GET /\xe4 HTTP/1.1"),
        head(line="GET http://x HTTP/1.1"),
        head(line="CONNECT x:80 HTTP/1.1"),
    ],
)
def test_what_is_not_http_is_told_so_as_every_other_error_and_ends_the_connection(
    server: RunningServer, data: bytes
) -> None:
    for pieces in ([data], [data[:9], data[9:]]):
        begun, _, body = answer_to(server, *pieces).partition(b"\r\n\r\n")
        assert begun.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert json.loads(body)["error"]["code"] == "invalid_input"


def test_a_client_of_an_older_http_gets_its_lines_without_chunks(server: RunningServer) -> None:
    lines = ("Content-Type: application/x-ndjson", f"Content-Length: {len(GOOD) * 60 + 59}")
    begun = head(AUTHORIZATION, *lines, line="POST /v1/analyze HTTP/1.0")
    started, _, body = answer_to(server, begun, b"\n".join([GOOD] * 60)).partition(b"\r\n\r\n")
    assert started.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"transfer-encoding" not in started
    assert [json.loads(line)["index"] for line in body.splitlines()] == list(range(60))
    plain = answer_to(server, request("Connection: keep-alive", line="POST /v1/analyze HTTP/1.0"))
    assert plain.partition(b"\r\n\r\n")[2] == answer_to(server, LAST).partition(b"\r\n\r\n")[2]


def test_what_is_no_path_is_not_found_as_every_other(server: RunningServer) -> None:
    started, _, body = answer_to(
        server, head(AUTHORIZATION, "Connection: close", line="OPTIONS * HTTP/1.1")
    ).partition(b"\r\n\r\n")
    assert started.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body)["error"]["code"] == "not_found"
    stranger = head("Connection: close", line="OPTIONS * HTTP/1.1")
    assert answer_to(server, stranger).startswith(b"HTTP/1.1 401 ")


def test_kinds_of_bodies_are_known_in_any_case(server: RunningServer) -> None:
    lines = answer_to(server, request("Content-Type: Application/X-NDJSON"))
    assert b"content-type: application/x-ndjson\r\n" in lines
    packed = gzip.compress(GOOD)
    begun = head(
        AUTHORIZATION, "Content-Encoding: GZIP", f"Content-Length: {len(packed)}",
        "Connection: close",
    )  # fmt: skip
    assert answer_to(server, begun + packed).startswith(b"HTTP/1.1 200 OK\r\n")


def test_nothing_behind_a_packed_body_is_passed_over(server: RunningServer) -> None:
    for more in (b"more", gzip.compress(b"more")):
        packed = gzip.compress(GOOD) + more
        begun = head(
            AUTHORIZATION, "Content-Encoding: gzip", f"Content-Length: {len(packed)}",
            "Connection: close",
        )  # fmt: skip
        started, _, body = answer_to(server, begun + packed).partition(b"\r\n\r\n")
        assert started.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"]["code"] == "invalid_input"
