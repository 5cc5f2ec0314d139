"""A load generator in a process of its own: raw asyncio protocols on uvloop, requests encoded once.

``python -m benchmarks.load`` reads one JSON object a line from standard input and answers each with
one line. The first is a :class:`Target`; each further one a phase: ``{"mode": "closed",
"clients": 8, "seconds": 2, "kind": "short"}`` keeps that many clients asking one question after the
other; ``{"mode": "open", "rate": 5000, ...}`` sends at that rate whatever comes back, over at most
``clients`` connections; ``{"mode": "probe", ...}`` asks one question at a time, with a pause, and
returns every answer with its instant.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any, Final, cast

ANSWER_TIMEOUT_S: Final = 60.0
PROBE_PAUSE_S: Final = 0.02
REFUSED: Final = (429, 503)


@dataclass(slots=True)
class Outcome:
    """What became of the requests of one phase; latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    refused_with_retry_after: int = 0
    refusals: list[float] = field(default_factory=list)
    stopped_at: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    last_body: bytes = b""
    instants: list[tuple[float, float, int]] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One keep-alive HTTP/1.1 client connection that has at most one request under way.

    Reads just enough of a response to know its status and where it ends: a content length, chunks,
    or the end of the connection.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[tuple[int, bool, bytes]] | None = None
        self.parts = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are not subclasses of asyncio's.
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bool, bytes]]:
        """Sends; the future gives status, whether Retry-After was there, and the body."""
        self.waiter = asyncio.get_running_loop().create_future()
        self.parts.clear()
        if self.transport is None or self.transport.is_closing():
            self.waiter.set_exception(ConnectionResetError())
        else:
            self.transport.write(request)
        return self.waiter

    def data_received(self, data: bytes) -> None:
        self.parts += data
        end = self.parts.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.parts[:end]).lower()
        if _complete(head, self.parts, end + 4):
            self._answer(head, bytes(self.parts[end + 4 :]))
            if b"\r\nconnection: close" in head or head.startswith(b"http/1.0"):
                self._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.waiter is None or self.waiter.done():
            return
        end = self.parts.find(b"\r\n\r\n")
        head = bytes(self.parts[: max(end, 0)]).lower()
        if end > 0 and b"content-length" not in head and b"chunked" not in head:
            self._answer(head, bytes(self.parts[end + 4 :]))
        else:
            self.waiter.set_exception(ConnectionResetError())

    def _answer(self, head: bytes, body: bytes) -> None:
        if self.waiter is not None and not self.waiter.done():
            body = _joined(body) if b"transfer-encoding: chunked" in head else body
            self.waiter.set_result((int(head[9:12]), b"\r\nretry-after:" in head, body))

    def _drop(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None


def _complete(head: bytes, parts: bytearray, start: int) -> bool:
    at = head.find(b"content-length:")
    if at >= 0:
        line_end = head.find(b"\r", at)
        length = int(head[at + 15 : line_end if line_end > 0 else len(head)])
        return len(parts) - start >= length
    if b"transfer-encoding: chunked" in head:
        return parts.endswith(b"0\r\n\r\n")
    return False


def _joined(chunks: bytes) -> bytes:
    body = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        body, chunks = body + rest[:length], rest[length + 2 :] if length else b""
    return body


class Generator:
    """Runs phases against one target.

    Args:
        host, port: where the server listens.
        path: of the POST requests.
        headers: of every request, besides Host, Content-Type and Content-Length.
        bodies: for each kind of text, the request bodies to cycle through.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        headers: Mapping[str, str],
        bodies: Mapping[str, Sequence[str]],
    ) -> None:
        self._address = (host, port)
        fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Content-Type: application/json\r\n{fixed}Content-Length: "
        )
        self._requests = {
            kind: [_encode(start, body) for body in items] for kind, items in bodies.items()
        }
        self._next = 0

    async def run(self, phase: Mapping[str, Any]) -> dict[str, Any]:
        """One phase; returns what :func:`summary` makes of it."""
        modes = {"closed": self._closed, "open": self._open, "probe": self._probe}
        gc.collect()
        gc.freeze()
        gc.disable()
        outcome, began, cpu = Outcome(), perf_counter(), process_time()
        try:
            sent = await modes[phase["mode"]](phase, outcome)
        finally:
            gc.enable()
        elapsed = perf_counter() - began
        return summary(outcome, elapsed, sent, process_time() - cpu)

    async def _closed(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        end = perf_counter() + phase["seconds"]
        clients = [
            self._client(phase["kind"], end, phase.get("at_least", 1), outcome)
            for _ in range(phase["clients"])
        ]
        return sum(await asyncio.gather(*clients))

    async def _client(self, kind: str, end: float, at_least: int, outcome: Outcome) -> int:
        connection, sent = Connection(), 0
        while perf_counter() < end or sent < at_least:
            connection = await self._ask(connection, kind, outcome)
            sent += 1
        if connection.transport is not None:
            connection.transport.close()
        return sent

    async def _open(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        rate, seconds, idle = phase["rate"], phase["seconds"], [Connection()] * 0
        busy: set[asyncio.Task[None]] = set()
        began, due = perf_counter(), 0
        while (now := perf_counter() - began) < seconds:
            while due < now * rate:
                due += 1
                if not idle and len(busy) >= phase["clients"]:
                    outcome.failures["no connection free"] += 1
                    continue
                connection = idle.pop() if idle else Connection()
                arrival = began + due / rate
                once = self._once(connection, phase["kind"], outcome, idle, arrival)
                task = asyncio.ensure_future(once)
                busy.add(task)
                task.add_done_callback(busy.discard)
            await asyncio.sleep(0.001)
        outcome.stopped_at = perf_counter()
        if busy:
            await asyncio.wait(busy, timeout=ANSWER_TIMEOUT_S)
        for connection in idle:
            if connection.transport is not None:
                connection.transport.close()
        return due

    async def _once(
        self,
        connection: Connection,
        kind: str,
        outcome: Outcome,
        idle: list[Connection],
        arrival: float,
    ) -> None:
        idle.append(await self._ask(connection, kind, outcome, began=arrival))

    async def _probe(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        end, sent = perf_counter() + phase["seconds"], 0
        connection = Connection()
        while perf_counter() < end:
            connection = await self._ask(connection, phase["kind"], outcome, keep=True)
            sent += 1
            await asyncio.sleep(phase.get("pause", PROBE_PAUSE_S))
        if connection.transport is not None:
            connection.transport.close()
        return sent

    async def _ask(
        self,
        connection: Connection,
        kind: str,
        outcome: Outcome,
        *,
        began: float | None = None,
        keep: bool = False,
    ) -> Connection:
        requests = self._requests[kind]
        request = requests[self._next % len(requests)]
        self._next += 1
        # At a fixed rate the wait counts from when the request was due, not from when a busy
        # generator came to send it.
        began = perf_counter() if began is None else began
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                if connection.transport is None or connection.transport.is_closing():
                    loop = asyncio.get_running_loop()
                    _, connection = await loop.create_connection(Connection, *self._address)
                status, retry_after, body = await connection.ask(request)
        except (OSError, TimeoutError) as error:
            outcome.failures[type(error).__name__] += 1
            return Connection()
        took = perf_counter() - began
        outcome.statuses[status] += 1
        if status == 200:
            outcome.latencies.append(took)
            outcome.last_body = body
        elif status in REFUSED:
            outcome.refused_with_retry_after += retry_after
            outcome.refusals.append(took)
        if keep:
            outcome.instants.append((began, took, status))
        return connection


def _encode(start: str, body: str) -> bytes:
    data = body.encode()
    return f"{start}{len(data)}\r\n\r\n".encode() + data


def summary(outcome: Outcome, elapsed: float, sent: int, cpu_s: float) -> dict[str, Any]:
    """Figures of one phase: rates in requests/s, latencies in milliseconds."""
    latencies = sorted(outcome.latencies)
    refused = sum(outcome.statuses[status] for status in REFUSED)
    answered = len(latencies)
    return {
        "seconds": round(elapsed, 3),
        "sent": sent,
        "ok": answered,
        "refused": refused,
        "refused_with_retry_after": outcome.refused_with_retry_after,
        "other_statuses": {
            str(status): count
            for status, count in outcome.statuses.items()
            if status != 200 and status not in REFUSED
        },
        "failures": dict(outcome.failures),
        "requests_per_s": round(answered / elapsed, 2),
        "p50_ms": _percentile(latencies, 0.50),
        "p99_ms": _percentile(latencies, 0.99),
        "refused_p99_ms": _percentile(sorted(outcome.refusals), 0.99),
        "stopped_at": outcome.stopped_at,
        "generator_cpu_s": round(cpu_s, 3),
        "last_body": outcome.last_body[:2000].decode("utf-8", "replace"),
        "instants": outcome.instants,
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest rank, so that it is a latency somebody really had; None without any."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 3)


async def serve_lines() -> None:
    """Target first, then phases, until standard input ends."""
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(None, sys.stdin.readline)
    if not first:
        return
    generator = Generator(**json.loads(first))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await generator.run(json.loads(line))), flush=True)


if __name__ == "__main__":
    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve_lines())
