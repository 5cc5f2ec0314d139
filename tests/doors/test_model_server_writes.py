"""Answers leave the model server in one piece, and refusals cost it next to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec

import pytest
import uvicorn
from uvicorn.server import ServerState

from discern.model_server.exchange import Receive, Scope, Send
from discern.model_server.heads import Heads
from discern.model_server.writes import MOST_HELD, JoinedWrites, JoiningProtocol, Limits, Unread


class Wire(asyncio.Transport):
    """Keeps what is written to it, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


P = ParamSpec("P")


def on_a_loop_of_its_own(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """In a thread of its own too: the browser tests keep a loop running in the main one."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(test(*args, **kwargs))).result()

    return run


async def turn() -> None:
    await asyncio.sleep(0)


@on_a_loop_of_its_own
async def test_head_and_body_are_one_write_and_the_next_answer_another() -> None:
    wire = Wire()
    transport = JoinedWrites(wire, asyncio.get_running_loop())
    transport.write(b"head ")
    transport.write(b"body")
    assert not wire.written
    await turn()
    transport.write(b"next")
    await turn()
    assert wire.written == [b"head body", b"next"]


@on_a_loop_of_its_own
async def test_a_long_stream_reaches_the_wire_before_the_loops_next_turn() -> None:
    wire = Wire()
    transport = JoinedWrites(wire, asyncio.get_running_loop())
    for _ in range(4):
        transport.write(b"x" * (MOST_HELD // 2 + 1))
    assert sum(map(len, wire.written)) > MOST_HELD
    transport.close()
    assert b"".join(wire.written) == b"x" * 4 * (MOST_HELD // 2 + 1)


@on_a_loop_of_its_own
async def test_closing_sends_what_is_held_and_a_lost_connection_drops_it() -> None:
    wire = Wire()
    transport = JoinedWrites(wire, asyncio.get_running_loop())
    transport.write(b"last words")
    transport.close()
    assert wire.written == [b"last words"]
    assert wire.closed
    other = Wire()
    lost = JoinedWrites(other, asyncio.get_running_loop())
    lost.write(b"to nobody")
    other.closed = True
    await turn()
    assert not other.written


class Refuses:
    """Stands for the short way of a server that is full while ``full``."""

    full = True
    heads = Heads()

    def take(self, caller: JoiningProtocol, data: bytes) -> bool:
        if not self.full or not data.startswith(b"POST /v1/analyze"):
            return False
        caller.reply(REFUSED, keep=True)
        return True


class Busy(JoiningProtocol):
    shortcut = Refuses()  # type: ignore[assignment]


REFUSED = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
HEAD = b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: "


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the request's body."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def converse(pieces: list[bytes]) -> bytes:
    """Sends the pieces one by one to such a server and reads until it has answered them."""
    config = uvicorn.Config(echo, http=Busy, log_config=None)
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Busy(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    answer = b""
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            answer += await asyncio.wait_for(reader.read(65_536), 0.2)
    writer.close()
    server.close()
    return answer


class Impatient(JoiningProtocol):
    limits = Limits(idle_s=0.3)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers without reading the body."""
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


@on_a_loop_of_its_own
async def test_a_body_that_trickles_in_after_its_answer_does_not_hold_the_connection() -> None:
    config = uvicorn.Config(refuse, http=Impatient, log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Impatient(config, state, {}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
    assert b" 401 " in await reader.readuntil(b"\r\n\r\n")
    rounds = 0
    while state.connections:
        rounds += 1
        assert rounds < 100
        with contextlib.suppress(ConnectionError):
            writer.write(b"x")
        await asyncio.sleep(0.05)
        for connection in list(state.connections):
            connection.look()  # type: ignore[union-attr]
    assert rounds >= 5
    writer.close()
    server.close()


@pytest.mark.parametrize(
    ("full", "pieces", "statuses"),
    [
        (True, [HEAD + b"2\r\n\r\nab", HEAD + b"2\r\n\r\ncd"], [503, 503]),
        (False, [HEAD + b"2\r\n\r\nab", HEAD + b"2\r\n\r\ncd"], [200, 200]),
        # What comes later of a request is not looked at, even if it looks like one itself.
        (True, [b"GET / HTTP/1.1\r\nContent-Length: 16\r\n\r\n", b"POST /v1/analyze"], [200]),
        (True, [b"GET / HTTP/1.1\r\nX: ", b"POST /v1/analyze\r\n\r\n"], [200]),
        (True, [b"GET / HTTP/1.1\r\n\r\n", HEAD + b"0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"],
         [200, 503, 200]),
        (True, [b"GET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nX: ", b"POST /v1/analyze\r\n\r\n"],
         [200, 200]),
    ],
)  # fmt: skip
@on_a_loop_of_its_own
async def test_only_a_requests_beginning_is_refused_and_the_connection_goes_on(
    full: bool, pieces: list[bytes], statuses: list[int]
) -> None:
    Refuses.full = full
    answer = await converse(pieces)
    assert [int(status) for status in re.findall(rb"HTTP/1.1 (\d+)", answer)] == statuses


def test_the_time_unread_counts_from_when_it_was_last_read_from() -> None:
    unread = Unread()
    assert unread.since(0, 0, 5.0) == 0
    assert unread.since(100, 50, 6.0) == 0
    assert unread.since(150, 50, 8.0) == 2
    assert unread.since(120, 80, 9.0) == 0
    assert unread.since(120, 80, 10.0) == 1
    assert unread.since(0, 200, 11.0) == 0
    assert unread.since(100, 300, 13.0) == 0


def test_who_reads_more_slowly_than_is_written_is_not_thought_to_read_nothing() -> None:
    unread = Unread()
    assert all(not unread.since(100 + 20 * second, second, second) for second in range(100))
