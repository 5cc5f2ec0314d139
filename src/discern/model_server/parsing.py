"""uvicorn's HTTP/1.1 protocol with what it leaves open closed: how much a client may send that is
no body, what comes after a wish for another protocol, and what may call itself a header."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from discern.errors import InvalidInput, TooLarge
from discern.model_server.exchange import IS_GONE, Message, Reply, error_reply, response

MOST_HEAD_BYTES: Final = 65_536
"""What may come before a head is whole, or between two pieces of a body."""


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


class ParsingProtocol(HttpToolsProtocol):
    """Reads requests; what is wrong with one as HTTP is answered here.

    A wish for another protocol, as many clients have with their first request, is not granted and
    must not cost the request its body: the parser stops at such a head, and another is given it
    without the wish.
    """

    _moved = False
    _silent_bytes = 0
    _plain_head: bytes | None = None

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
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
                return
        self._silent_bytes = 0 if self._moved else self._silent_bytes + size
        if self._silent_bytes > MOST_HEAD_BYTES:
            self.end_with(LONG_HEAD)

    def end_with(self, reply: Reply) -> None:
        """Says why the connection ends, unless an answer has begun, and ends it."""
        begun = self.cycle is not None and not self.cycle.response_complete
        if not (begun and self.cycle.response_started):
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
