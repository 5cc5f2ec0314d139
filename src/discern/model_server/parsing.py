"""uvicorn's HTTP/1.1 protocol with what it leaves open closed: how much a client may send that is
no body, how many requests it may send ahead, what comes after a wish for another protocol, and what
may call itself a header."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from discern.errors import InvalidInput, TooLarge
from discern.model_server.exchange import IS_GONE, Message, Reply, error_reply, response

MOST_HEAD_BYTES: Final = 65_536
"""What may come before a head is whole, or between two pieces of a body."""
MOST_AHEAD: Final = 16
"""With so many requests read that have not been begun, no more are read."""
PIECE_BYTES: Final = 4096
"""Parsed at a time: what has been parsed can be stopped only then, and takes a hundred times its
place."""


def _ending(reply: Reply) -> Reply:
    reply.headers.append((b"connection", b"close"))
    return reply


def _long_head() -> Reply:
    limit = MOST_HEAD_BYTES
    message = f"The headers are longer than {limit:,} bytes."
    reply = error_reply(TooLarge(message, field="headers", limit=limit))
    reply.status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return _ending(reply)


LONG_HEAD: Final = _long_head()
NOT_HTTP: Final = _ending(error_reply(InvalidInput("This is not a valid HTTP request.")))


class HoldableFlow(FlowControl):
    """Reads nothing while ``held``, whoever would go on reading: every request that is answered
    or asks for its body does."""

    held = False

    def hold(self) -> None:
        """Stops reading."""
        self.held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class ParsingProtocol(HttpToolsProtocol):
    """Reads requests; what is wrong with one as HTTP is answered here.

    A wish for another protocol, as many clients have with their first request, is not granted and
    must not cost the request its body: the parser stops at such a head, and another is given it
    without the wish.

    Of requests that come ahead of their answers only some are read. The rest waits, at last where
    its client sees that it does, which else could make this process keep whatever it sends.
    """

    flow: HoldableFlow
    _answered: RequestResponseCycle | None = None
    _behind: bytes = b""
    _moved = False
    _silent_bytes = 0
    _plain_head: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = HoldableFlow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_ahead()
        # uvicorn tells the last that was read, which may not have been begun.
        if self._answered is not None and self._answered is not self.cycle:
            self._answered.disconnected = not self._answered.response_complete
            self._answered.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self.flow.held:
            self._behind += data
        elif self.pipeline or len(data) > PIECE_BYTES:
            self._read(data)
        else:
            self._parse(data)

    def _read(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if len(self.pipeline) >= MOST_AHEAD:
                self._behind = data[start:]
                break
            if not self._parse(data[start : start + PIECE_BYTES]):
                return
        if len(self.pipeline) >= MOST_AHEAD:
            self.flow.hold()

    def _parse(self, data: bytes) -> bool:
        """Whether the connection goes on."""
        self._moved = False
        size = len(data)
        while data:
            try:
                self.parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as stopped:
                data = self._without_wish() + data[stopped.args[0] :]
            except httptools.HttpParserError:
                self.logger.warning("A request was not valid HTTP.")
                self.end_with(NOT_HTTP)
                return False
        self._silent_bytes = 0 if self._moved else self._silent_bytes + size
        if self._silent_bytes > MOST_HEAD_BYTES:
            self.end_with(LONG_HEAD)
            return False
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.flow.held and len(self.pipeline) < MOST_AHEAD and not self.transport.is_closing():
            behind, self._behind = self._behind, b""
            self.flow.held = False
            self._read(behind)
            self.flow.resume_reading()

    def shutdown(self) -> None:
        # What was accepted has been waited for; an answer that is under way is the last.
        self._forget_ahead()
        if self._answered is not None and not self._answered.response_complete:
            self._answered.keep_alive = False
        else:
            super().shutdown()

    def _forget_ahead(self) -> None:
        self.pipeline.clear()
        self._behind = b""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def end_with(self, reply: Reply) -> None:
        """Says why the connection ends, unless an answer has begun, and ends it."""
        answered = self._answered
        if answered is None or answered.response_complete or not answered.response_started:
            self.transport.write(response(reply, self.server_state.default_headers))
        self.transport.close()

    def on_headers_complete(self) -> None:
        self._moved = True
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._plain_head = self._head_without_wish()
            return
        self.scope["extensions"] = {IS_GONE: self.transport.is_closing}  # type: ignore[dict-item]
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0":
            send = partial(_send_in_one, self.cycle, self.cycle.send)
            self.cycle.send = send  # type: ignore[method-assign]
        # What comes behind a body looks like a header and is none: it names no caller.
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._moved = True
        if self._plain_head is None:
            super().on_message_complete()

    def _without_wish(self) -> bytes:
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        head, self._plain_head = self._plain_head or b"", None
        return head

    def _head_without_wish(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                value = b", ".join(
                    [token for part in value.split(b",")
                     if (token := part.strip()).lower() != b"upgrade"]
                )  # fmt: skip
            if name != b"upgrade" and (value or name != b"connection"):
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])


async def _send_in_one(
    cycle: RequestResponseCycle, send: Callable[[Any], Awaitable[None]], message: Message
) -> None:
    # A client of HTTP/1.0 knows no chunks: what has no length ends with the connection.
    if message["type"] == "http.response.body":
        cycle.expected_content_length = len(message.get("body", b""))
    elif all(name != b"content-length" for name, _ in message["headers"]):
        cycle.chunked_encoding = False
    await send(message)
