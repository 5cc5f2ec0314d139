"""One HTTP client of the load generator: a raw asyncio protocol that costs next to nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, cast

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
    keep_instants: bool = False
    instants: list[tuple[float, float, int]] = field(default_factory=list)

    def count(self, began: float, took: float, status: int, retry_after: bool, body: bytes) -> None:
        """Takes note of one answer."""
        self.statuses[status] += 1
        if status == 200:
            self.latencies.append(took)
            self.last_body = body
        elif status in REFUSED:
            self.refused_with_retry_after += retry_after
            self.refusals.append(took)
        if self.keep_instants:
            self.instants.append((began, took, status))


class Wire(asyncio.Protocol):
    """One HTTP/1.1 connection with at most one request under way.

    Reads just enough of a response to know its status and where it ends: a content length, chunks,
    or the end of the connection.
    """

    def __init__(self, client: Client) -> None:
        self._client: Client | None = client
        self._transport: asyncio.Transport | None = None
        self._parts = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def write(self, request: bytes) -> None:
        self._parts.clear()
        if self._transport is not None:
            self._transport.write(request)

    def close(self) -> None:
        """Ends the connection without a word to the client."""
        self._client = None
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parts += data
        end = self._parts.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._parts[:end]).lower()
        if _complete(head, self._parts, end + 4):
            self._answer(head, bytes(self._parts[end + 4 :]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._client is None:
            return
        end = self._parts.find(b"\r\n\r\n")
        head = bytes(self._parts[: max(end, 0)]).lower()
        if end > 0 and b"content-length" not in head and b"chunked" not in head:
            self._answer(head, bytes(self._parts[end + 4 :]))
        else:
            self._client.failed(ConnectionResetError())

    def _answer(self, head: bytes, body: bytes) -> None:
        client = self._client
        if client is None:
            return
        if b"\r\nconnection: close" in head or head.startswith(b"http/1.0"):
            self.close()
        body = _joined(body) if b"transfer-encoding: chunked" in head else body
        client.answered(int(head[9:12]), _retry_after_s(head), body)


class Client:
    """Asks one question after the other and keeps its connection where the server lets it.

    Args:
        address: host and port.
        outcome: where its answers are counted.
        finished: called with the client after each answer or failure; may ask again.

    Driven by callbacks alone: a task and a future for every request would cost a share of the
    cores that the server is measured on.
    """

    __slots__ = (
        "_address", "_began", "_connecting", "_finished", "_outcome", "_wire", "asking", "told_s"
    )  # fmt: skip

    def __init__(
        self,
        address: tuple[str, int],
        outcome: Outcome,
        finished: Callable[[Client], None],
    ) -> None:
        self._address = address
        self._outcome = outcome
        self._finished = finished
        self._wire: Wire | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._began = 0.0
        self.asking = False
        self.told_s = 0.0  # to wait, by a refusal that was its last answer

    def ask(self, request: bytes, began: float) -> None:
        """Sends ``request``; its latency counts from ``began``."""
        self._began, self.asking = began, True
        if self._wire is not None and self._wire.usable():
            self._wire.write(request)
        else:
            self._connecting = asyncio.ensure_future(self._connect(request))

    def answered(self, status: int, retry_after_s: float | None, body: bytes) -> None:
        told = retry_after_s is not None
        self._outcome.count(self._began, perf_counter() - self._began, status, told, body)
        self.told_s = (retry_after_s or 0.0) if status in REFUSED else 0.0
        self._done()

    def failed(self, error: Exception) -> None:
        self.close()
        if self.asking:
            self._outcome.failures[type(error).__name__] += 1
            self._done()

    def close(self) -> None:
        """Ends the connection; an answer still under way is not waited for."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _done(self) -> None:
        self.asking = False
        self._finished(self)

    async def _connect(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, self._wire = await loop.create_connection(lambda: Wire(self), *self._address)
        except OSError as error:
            self.failed(error)
        else:
            self._wire.write(request)


def _retry_after_s(head: bytes) -> float | None:
    at = head.find(b"\r\nretry-after:")
    if at < 0:
        return None
    end = head.find(b"\r", at + 2)
    value = head[at + 14 : end if end > 0 else len(head)].strip()
    return float(value) if value.replace(b".", b"", 1).isdigit() else 0.0


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
