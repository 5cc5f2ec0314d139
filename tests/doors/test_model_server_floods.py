"""Clients that send requests without waiting for answers: who reads gets them all in order, and
who does not costs the server little and is cut off."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from discern.model_server.exchange import Receive, Scope, Send
from discern.model_server.parsing import PIECE_BYTES
from discern.model_server.writes import JoiningProtocol
from tests.doors.servers import PATIENCE_S, RunningServer, model_server
from tests.doors.test_model_server_writes import Wire, on_a_loop_of_its_own, turn

FLOOD_BYTES = 24 * 2**20
"""Which made the server keep more than a gigabyte when it read on."""
MOST_GROWTH_KB = 64 * 1024
MOST_WAIT_S = 20.0
TEXT = b'{"text": "good"}'
METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
PROTOCOL = b"GET /v2 HTTP/1.1\r\n\r\n"
ANALYZE = b"POST /v1/analyze HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(TEXT), TEXT)
GET = b"GET /%d HTTP/1.1\r\n\r\n"


@pytest.fixture
def server(quick_home: Path) -> Iterator[RunningServer]:
    with model_server(quick_home, max_unread_s=1) as running:
        yield running


def connect(server: RunningServer) -> socket.socket:
    parts = urlsplit(server.url)
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(PATIENCE_S)
    raw.connect((parts.hostname, parts.port))
    return raw


def most_memory_kb(server: RunningServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


def flood(raw: socket.socket, ask: bytes) -> bool:
    """Sends and never reads; whether it was cut off before it was through."""
    many = ask * (2**18 // len(ask))
    try:
        for _ in range(FLOOD_BYTES // len(many)):
            raw.sendall(many)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("ask", [METRICS, PROTOCOL, ANALYZE])
def test_a_flood_of_requests_whose_answers_nobody_reads_is_cut_off_and_takes_little_memory(
    server: RunningServer, ask: bytes
) -> None:
    before = most_memory_kb(server)
    with closing(connect(server)) as raw:
        started = time.monotonic()
        raw.sendall(ask)  # alone, as the short way has it
        assert flood(raw, ask)
        assert 1 <= time.monotonic() - started < MOST_WAIT_S
    assert most_memory_kb(server) - before < MOST_GROWTH_KB
    with server.client() as client:
        assert client.post("/v1/analyze", json={"text": "good"}).status_code == 200


@pytest.mark.parametrize("ask", [METRICS, ANALYZE])
def test_the_server_ends_in_the_middle_of_a_flood(server: RunningServer, ask: bytes) -> None:
    with closing(connect(server)) as raw:
        sender = threading.Thread(target=flood, args=(raw, ask), daemon=True)
        sender.start()
        time.sleep(0.5)
        started = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - started < 5
        sender.join(PATIENCE_S)


def test_requests_sent_ahead_are_answered_in_order_to_who_reads(server: RunningServer) -> None:
    asks, count = b"", 2_000
    for number in range(count):
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["good"]}
        body = json.dumps({"id": str(number), "inputs": [tensor]}).encode()
        head = b"POST /v2/models/words/infer HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        asks += head + body
    assert len(asks) > 40 * PIECE_BYTES
    with closing(connect(server)) as raw:
        sender = threading.Thread(target=raw.sendall, args=(asks,), daemon=True)
        sender.start()
        answers = b""
        while answers.count(b'"outputs"') < count:
            piece = raw.recv(2**18)
            assert piece, answers[-500:]
            answers += piece
        sender.join(PATIENCE_S)
    assert re.findall(rb'"id":"(\d+)"', answers) == [b"%d" % number for number in range(count)]


class Slow:
    """An application that begins its answer and ends it when told; keeps what it was sent."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.heard: list[str] = []
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        await receive()
        headers = [(b"content-length", b"4")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"be", "more_body": True})
        waits = asyncio.ensure_future(self.go_on.wait())
        hears = asyncio.ensure_future(receive())
        await asyncio.wait({waits, hears}, return_when=asyncio.FIRST_COMPLETED)
        if hears.done():
            self.heard.append(hears.result()["type"])
        hears.cancel()
        waits.cancel()
        await send({"type": "http.response.body", "body": b"gu"})


class Line(Wire):
    """A wire that says whether it is read from."""

    reads = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def get_write_buffer_size(self) -> int:
        return 0


def connection(application: Slow) -> tuple[JoiningProtocol, Line]:
    config = uvicorn.Config(application, http=JoiningProtocol, log_config=None)
    config.load()
    line, protocol = Line(), JoiningProtocol(config, ServerState(), {})
    protocol.connection_made(line)
    return protocol, line


async def turns() -> None:
    for _ in range(10):
        await turn()


@on_a_loop_of_its_own
async def test_what_is_read_ahead_is_bounded_and_reading_goes_on_when_it_has_been_answered() -> (
    None
):
    application = Slow()
    protocol, line = connection(application)
    count = 5_000
    protocol.data_received(b"".join(GET % number for number in range(count)))
    await turns()
    assert len(protocol.pipeline) < PIECE_BYTES // len(GET)
    assert not line.reads
    application.go_on.set()
    while len(application.paths) < count:
        await turn()
        assert len(protocol.pipeline) < PIECE_BYTES // len(GET) + 16
    await turns()
    assert application.paths == [f"/{number}" for number in range(count)]
    assert line.reads


@on_a_loop_of_its_own
async def test_the_request_under_way_hears_that_its_client_went_and_those_behind_are_dropped() -> (
    None
):
    application = Slow()
    protocol, line = connection(application)
    protocol.data_received(b"".join(GET % number for number in range(3)))
    await turns()
    line.closed = True
    protocol.connection_lost(None)
    await turns()
    assert (application.paths, application.heard) == (["/0"], ["http.disconnect"])
    assert not protocol.pipeline


@on_a_loop_of_its_own
async def test_what_is_no_http_behind_a_request_does_not_get_into_its_answer() -> None:
    protocol, line = connection(Slow())
    protocol.data_received(GET % 0 + GET % 1)
    await turns()
    protocol.data_received(b"this is not HTTP\r\n\r\n")
    assert line.closed
    assert b" 400 " not in b"".join(line.written)


@on_a_loop_of_its_own
async def test_at_the_end_the_answer_under_way_is_the_last_of_its_connection() -> None:
    application = Slow()
    protocol, line = connection(application)
    protocol.data_received(b"".join(GET % number for number in range(3)))
    await turns()
    protocol.shutdown()
    application.go_on.set()
    await turns()
    assert line.closed
    assert application.paths == ["/0"]
    assert b"".join(line.written).endswith(b"begu")
