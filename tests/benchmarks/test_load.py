"""The load generator against a real server whose every answer is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from benchmarks.load import Generator

BODY = b'{"label": "positive"}'
ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, BODY[:5], len(BODY) - 5, BODY[5:]),
    "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    + BODY,
    "end": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "refusal": b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "error": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "hang up": b"",
}


class KnownServer:
    """Answers every request after ``delay_s`` with the bytes given, a few at a time if asked, and
    counts what it saw."""

    def __init__(self, answer: bytes, *, delay_s: float = 0.0, in_pieces: bool = False) -> None:
        self.answer, self.delay_s, self.in_pieces = answer, delay_s, in_pieces
        self.requests = self.connections = self.open = self.most_open = 0
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        self.requests += 1
        await asyncio.sleep(self.delay_s)
        for start in range(0, len(self.answer), 7 if self.in_pieces else 10_000):
            writer.write(self.answer[start : start + (7 if self.in_pieces else 10_000)])
            await writer.drain()
            await asyncio.sleep(0)
        return b"Connection: close" not in self.answer and self.answer[5:8] == b"1.1"


def run(server: KnownServer, steps: Callable[[Generator], Awaitable[Any]]) -> Any:
    async def together() -> Any:
        listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        bodies = {"short": ['{"text": "One."}', '{"text": "Two, which is longer."}']}
        try:
            return await steps(Generator("127.0.0.1", server.port, "/analyze", {}, bodies))
        finally:
            listening.close()
            for _ in range(100):
                if not server.open:
                    break
                await asyncio.sleep(0.01)

    return asyncio.run(together())


def closed(clients: int = 4, seconds: float = 0.2) -> Callable[[Generator], Awaitable[Any]]:
    phase = {"mode": "closed", "clients": clients, "seconds": seconds, "kind": "short"}
    return lambda generator: generator.run(phase)


@pytest.mark.parametrize("kind", ["length", "chunks", "close", "end"])
@pytest.mark.parametrize("in_pieces", [False, True])
def test_every_way_to_end_a_response_is_counted_and_read_whole(kind: str, in_pieces: bool) -> None:
    server = KnownServer(ANSWERS[kind], in_pieces=in_pieces)
    result = run(server, closed())
    assert result["ok"] == result["sent"] == server.requests >= 4
    assert result["failures"] == {}
    assert result["last_body"].encode() == BODY


def test_a_closed_loop_keeps_exactly_that_many_connections() -> None:
    server = KnownServer(ANSWERS["length"], delay_s=0.005)
    result = run(server, closed(clients=7))
    assert server.connections == server.most_open == 7
    assert result["p50_ms"] >= 5


def test_a_connection_the_server_closes_is_opened_again() -> None:
    server = KnownServer(ANSWERS["close"])
    result = run(server, closed(clients=2))
    assert server.connections == result["ok"]


def test_refusals_and_errors_are_not_counted_as_answers() -> None:
    refused = run(KnownServer(ANSWERS["refusal"]), closed())
    assert refused["ok"] == 0
    assert refused["refused"] == refused["refused_with_retry_after"] == refused["sent"]
    wrong = run(KnownServer(ANSWERS["error"]), closed())
    assert wrong["ok"] == 0
    assert wrong["other_statuses"] == {"500": wrong["sent"]}


def test_a_refused_client_waits_as_it_is_told() -> None:
    refused = run(KnownServer(ANSWERS["refusal"]), closed(clients=3))
    assert refused["sent"] == 3  # told to wait a second, in a run of a fifth of one
    assert refused["seconds"] >= 0.2


def test_a_refused_client_asks_again_once_its_wait_is_over() -> None:
    assert run(KnownServer(ANSWERS["refusal"]), closed(clients=3, seconds=1.5))["sent"] == 6


def test_a_server_that_hangs_up_is_a_failure_not_a_hang() -> None:
    result = run(KnownServer(ANSWERS["hang up"]), closed(clients=2))
    assert result["ok"] == 0
    assert sum(result["failures"].values()) == result["sent"]


def test_an_open_loop_sends_at_its_rate_however_slow_the_answers_are() -> None:
    server = KnownServer(ANSWERS["length"], delay_s=0.3)
    phase = {"mode": "open", "rate": 100, "clients": 200, "seconds": 0.5, "kind": "short"}
    result = run(server, lambda generator: generator.run(phase))
    assert 10 < result["sent"] <= 50  # answers one after the other would be two
    assert result["ok"] == result["sent"]
    assert result["p50_ms"] >= 300


def test_an_open_loop_says_when_it_had_no_connection_left() -> None:
    server = KnownServer(ANSWERS["length"], delay_s=0.3)
    phase = {"mode": "open", "rate": 100, "clients": 5, "seconds": 0.2, "kind": "short"}
    result = run(server, lambda generator: generator.run(phase))
    assert server.most_open == 5
    assert result["failures"]["no connection free"] == result["sent"] - result["ok"] > 0


def test_a_probe_returns_every_answer_with_its_instant() -> None:
    phase = {"mode": "probe", "seconds": 0.2, "kind": "short", "pause": 0.001}
    result = run(KnownServer(ANSWERS["length"]), lambda generator: generator.run(phase))
    began = [instant for instant, _, _ in result["instants"]]
    assert len(began) == result["ok"] >= 1
    assert began == sorted(began)
    assert {status for _, _, status in result["instants"]} == {200}
