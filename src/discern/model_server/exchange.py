"""One request and its reply, read from and written to ASGI with as little in between as can be."""

from __future__ import annotations

import asyncio
import math
import re
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, MutableMapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import orjson

from discern.engine.wire import DEADLINE_HEADER
from discern.errors import (
    Cancelled,
    DeadlineExceeded,
    DiscernError,
    InvalidInput,
    TooLarge,
    UnsupportedMedia,
)
from discern.model_server.statuses import status_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
MOST_DIGITS: Final = 18
_SECONDS: Final = re.compile(rb"(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

JSON: Final = b"application/json"
_DEADLINE: Final = DEADLINE_HEADER.lower().encode()
IS_GONE: Final = "discern.is_gone"
"""The ASGI extension that says whether the connection has ended, without reading on."""
_KNOWN: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"inference-header-content-length",
        _DEADLINE,
    }
)


class SlowBody(DeadlineExceeded):
    """The body did not come in time; its connection, on which the rest may still come, ends with
    the answer."""


class Request:
    """What an endpoint sees of one HTTP request.

    ``deadline`` is when its answer is due, a :func:`time.monotonic` instant; ``patience_ends`` when
    the caller said it waits no longer, which may be never.
    """

    __slots__ = (
        "_max_body_bytes",
        "deadline",
        "headers",
        "patience_ends",
        "receive",
        "scope",
        "started",
    )

    def __init__(
        self, scope: Scope, receive: Receive, *, max_body_bytes: int, max_request_s: float
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.headers: dict[bytes, bytes] = {
            name: value for name, value in scope["headers"] if name in _KNOWN
        }
        self._max_body_bytes = max_body_bytes
        self.started = time.monotonic()
        self.patience_ends = self.started + self._callers_patience()
        self.deadline = min(self.patience_ends, self.started + max_request_s)

    @property
    def path_params(self) -> dict[str, str]:
        params: dict[str, str] = self.scope.get("path_params", {})
        return params

    def is_gone(self) -> bool:
        """Whether the client went away, as far as can be told without reading on."""
        asked: Callable[[], bool] | None = (self.scope.get("extensions") or {}).get(IS_GONE)
        return asked is not None and asked()

    def _callers_patience(self) -> float:
        given = self.headers.get(_DEADLINE)
        if given is None:
            return float("inf")
        seconds = seconds_in(given)
        if seconds is None:
            raise InvalidInput(
                f"The header {DEADLINE_HEADER} must be a number of seconds.", field=DEADLINE_HEADER
            )
        return seconds

    async def body(self) -> bytes:
        """The whole body, unpacked if it came compressed.

        Raises:
            TooLarge: over the limit, before or after unpacking.
            DeadlineExceeded: it did not come before the request's deadline.
            Cancelled: the client went away while sending.
        """
        length = length_in(self.headers.get(b"content-length", b"0"))
        if length is None or length > self._max_body_bytes:
            raise self._too_large()
        message = await self.piece(self.deadline)
        data: bytes = message.get("body", b"")
        if message.get("more_body"):
            data = await self._rest(data)
        if len(data) > self._max_body_bytes:
            raise self._too_large()
        encoding = self.headers.get(b"content-encoding")
        return data if encoding is None else self._unpack(data, encoding.lower())

    async def piece(self, deadline: float) -> Message:
        """The next piece of the body, as ASGI has it.

        Raises:
            DeadlineExceeded: it did not come by then, a :func:`time.monotonic` instant.
            Cancelled: the client went away while sending.
        """
        steps = self.receive().__await__()
        try:
            waits_for = next(steps)
        except StopIteration as arrived:  # as nearly always, and then a timer would be for nothing
            message: Message = arrived.value
        else:
            message = await _in_time(waits_for, steps, deadline)
        if message["type"] == "http.disconnect":
            raise Cancelled("The client went away.")
        return message

    async def json(self) -> Any:
        """The body as JSON.

        Raises:
            InvalidInput: it is not JSON in UTF-8.
        """
        return parse_json(await self.body())

    async def _rest(self, first: bytes) -> bytes:
        chunks, size = [first], len(first)
        while True:
            message = await self.piece(self.deadline)
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body"):
                return b"".join(chunks)

    def _unpack(self, data: bytes, encoding: bytes) -> bytes:
        # gzip and zlib frames are told apart by their first bytes (wbits 32 + 15).
        if encoding in (b"gzip", b"deflate"):
            unpacker = zlib.decompressobj(wbits=47)
            try:
                unpacked = unpacker.decompress(data, self._max_body_bytes + 1)
            except zlib.error:
                raise InvalidInput("The body is not compressed as its header says.") from None
            if len(unpacked) > self._max_body_bytes:
                raise self._too_large()
            if not unpacker.eof:
                raise InvalidInput("The compressed body is cut off.")
            if unpacker.unused_data:
                raise InvalidInput("The compressed body must be in one part.")
            return unpacked
        if encoding == b"identity":
            return data
        raise UnsupportedMedia("Bodies may be compressed with gzip or deflate.", field="body")

    def _too_large(self) -> TooLarge:
        limit = self._max_body_bytes
        return TooLarge(f"The body is larger than {limit:,} bytes.", field="body", limit=limit)


async def _in_time(waits_for: Any, steps: Generator[Any, Any, Message], deadline: float) -> Message:
    try:
        async with asyncio.timeout(deadline - time.monotonic()):
            return await _Begun(waits_for, steps)
    except TimeoutError:
        raise SlowBody("The body did not come in time.", field="body") from None


@dataclass(frozen=True, slots=True)
class _Begun:
    """Awaits what has been begun already, and waits for that."""

    waits_for: Any
    steps: Generator[Any, Any, Message]

    def __await__(self) -> Generator[Any, Any, Message]:
        try:
            yield self.waits_for
            return (yield from self.steps)
        finally:
            self.steps.close()


@dataclass(slots=True)
class Reply:
    """A status, a body and further headers."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = JSON
    headers: Headers = field(default_factory=list)

    async def send(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", self.content_type),
                    (b"content-length", b"%d" % len(self.body)),
                    *self.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": self.body})


@dataclass(slots=True)
class StreamReply:
    """A body that is sent as it is made; the connection ends with the stream."""

    chunks: AsyncIterator[bytes]
    content_type: bytes

    async def send(self, send: Send) -> None:
        headers = [(b"content-type", self.content_type), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            async for chunk in self.chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except Cancelled:
            await send({"type": "http.response.body", "body": b""})  # to nobody
            raise
        await send({"type": "http.response.body", "body": b""})


def response(reply: Reply, fixed: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The bytes of a whole answer; ``fixed`` are headers that come first."""
    status = b"200 OK" if reply.status == 200 else _status(reply.status)
    first = b"".join([b"%b: %b\r\n" % header for header in fixed])
    last = b"".join([b"%b: %b\r\n" % header for header in reply.headers])
    return b"HTTP/1.1 %b\r\n%bcontent-type: %b\r\ncontent-length: %d\r\n%b\r\n%b" % (
        status, first, reply.content_type, len(reply.body), last, reply.body
    )  # fmt: skip


def _status(status: int) -> bytes:
    try:
        return b"%d %b" % (status, HTTPStatus(status).phrase.encode())
    except ValueError:
        return b"%d " % status


def length_in(header: bytes) -> int | None:
    """What a header says that gives a length, in bytes; None where that is no number."""
    # Zeros may stand before it, more than a number may have digits here.
    digits = header.lstrip(b"0") or header[:1]
    return int(digits) if digits.isdigit() and len(digits) <= MOST_DIGITS else None


def seconds_in(header: bytes) -> float | None:
    """What a header says that gives a time, in seconds; None where that is no decimal number from
    0 up."""
    # Python reads more as a number than others would mean by it, as 1_0.
    seconds = float(header) if _SECONDS.fullmatch(header.strip()) else math.inf
    return seconds if seconds < math.inf else None


def json_reply(value: Any, status: int = 200) -> Reply:
    """A reply with a JSON body; NumPy numbers may be in it."""
    return Reply(orjson.dumps(value), status)


def error_reply(error: DiscernError) -> Reply:
    """``{"error": {code, message, field, limit, retry_after_s}}``."""
    reply = json_reply({"error": error.to_dict()}, status_of(error))
    reply.headers = error_headers(error)
    return reply


def error_headers(error: DiscernError) -> Headers:
    """Headers that belong to an error whatever its body looks like."""
    headers: Headers = []
    if error.retry_after_s is not None or status_of(error) == 503:
        headers.append(retry_after(error.retry_after_s))
    if error.code == "unauthorized":
        headers.append((b"www-authenticate", b"Bearer"))
    if error.code == "draining" or isinstance(error, SlowBody):
        headers.append((b"connection", b"close"))
    return headers


def retry_after(seconds: float | None = None) -> tuple[bytes, bytes]:
    """The header: whole seconds, rounded up so that nobody comes back too early; 1 at least."""
    return b"retry-after", b"%d" % max(1, math.ceil(seconds or 0))


def parse_json(data: bytes) -> Any:
    """Reads JSON.

    Raises:
        InvalidInput: it is not JSON in UTF-8.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"The body is not JSON: {error}.", field="body") from None
