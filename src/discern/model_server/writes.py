"""One connection: an answer's head and body leave in one piece, and a refusal costs little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_HELD: Final = 16_384
"""Bytes held at most, so that the transport's own flow control sees a long stream."""


class JoinedWrites(asyncio.Transport):
    """A transport that holds what is written until the event loop's next turn.

    The server writes a head and a body; sent apart they are two system calls here and two wake-ups
    of the client, which on one machine takes them from the same processors.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held += data
        if len(self._held) > MOST_HELD:
            self._send()

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def _send(self) -> None:
        if self._held and not self._transport.is_closing():
            self._transport.write(bytes(self._held))
        self._held.clear()


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol on such a transport.

    A request that ``refusal`` has an answer for, looking at its bytes, goes no further.
    """

    refusal: Callable[[bytes], bytes | None] = staticmethod(lambda _: None)
    _inside = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(JoinedWrites(transport, self.loop))

    def data_received(self, data: bytes) -> None:
        if not self._inside and (self.cycle is None or self.cycle.response_complete):
            refused = self.refusal(data)
            if refused is not None:
                self.transport.write(refused)
                self._unset_keepalive_if_required()
                self.timeout_keep_alive_task = self.loop.call_later(
                    self.timeout_keep_alive, self.timeout_keep_alive_handler
                )
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._inside = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._inside = False
        super().on_message_complete()
