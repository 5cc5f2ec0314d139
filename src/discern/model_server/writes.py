"""One connection: an answer's head and body leave in one piece, and a refusal costs little."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from discern.errors import DeadlineExceeded
from discern.model_server.exchange import Reply, error_reply
from discern.model_server.parsing import ParsingProtocol

if TYPE_CHECKING:
    from discern.model_server.shortcut import Errand, Shortcut

BODY_SOON_S: Final = 0.05
"""A head waits this long for its body before it is treated as one that comes in pieces."""
MOST_HELD: Final = 16_384
"""Bytes held at most, so that the transport's own flow control sees a long stream."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may take its time for, in seconds.

    Args:
        head_s: sending the head of a request, once begun.
        unread_s: reading anything of what was sent to it.
        idle_s: between requests, and before the first; so, too, for the rest of a body that was
            answered before it came.
    """

    head_s: float = 10.0
    unread_s: float = 30.0
    idle_s: float = 75.0


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
        self._written = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._held:
            self._loop.call_soon(self._send)
        self._held += data
        if len(self._held) > MOST_HELD:
            self._send()

    def write_whole(self, data: bytes) -> None:
        """Writes what needs no joining."""
        self._send()
        self._pass_on(data)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()

    def taken(self) -> int:
        """How many bytes the client's side has taken so far."""
        return self._written - self._transport.get_write_buffer_size()

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
            self._pass_on(bytes(self._held))
        self._held.clear()

    def _pass_on(self, data: bytes) -> None:
        self._written += len(data)
        self._transport.write(data)


def _slow_head() -> Reply:
    reply = error_reply(DeadlineExceeded("The headers did not come in time."))
    reply.status = HTTPStatus.REQUEST_TIMEOUT
    reply.headers.append((b"connection", b"close"))
    return reply


SLOW_HEAD: Final = _slow_head()


class JoiningProtocol(ParsingProtocol):
    """HTTP/1.1 on such a transport.

    A request that the short way takes, looking at its bytes, goes no further here; what comes
    behind it waits until it has been answered.
    """

    transport: JoinedWrites
    shortcut: Shortcut | None = None
    limits = Limits()
    _inside = False
    _errand: Errand | None = None
    _heard = 0.0
    _head_begun: float | None = None
    _head_alone: bytes = b""
    _body_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._heard = self.loop.time()
        self._unread = Unread()
        super().connection_made(JoinedWrites(transport, self.loop))

    def connection_lost(self, exc: Exception | None) -> None:
        self._take_head_alone()
        super().connection_lost(exc)
        errand, self._errand = self._errand, None
        if errand is not None:
            errand.forsake()

    def data_received(self, data: bytes) -> None:
        # The rest of what has been answered already does not keep a connection open.
        if not self._inside or not self._rests():
            self._heard = self.loop.time()
        if self._head_alone:
            data = self._take_head_alone() + data
        if self._errand is not None:
            self._behind += data
            self.flow.pause_reading()
        elif not self._takes_short_way(data):
            super().data_received(data)

    def _takes_short_way(self, data: bytes) -> bool:
        if (
            self.shortcut is None
            or self._inside
            or not self._rests()
            # Who does not read is not answered more; the long way waits until it has.
            or self.flow.write_paused
        ):
            return False
        taken = self.shortcut.take(self, data)
        if not isinstance(taken, bool):
            self._errand = taken
        elif not taken and self.shortcut.heads.lacks_body(data):
            self._head_alone = data
            self._body_due = self.loop.call_later(BODY_SOON_S, self._go_long_way)
            taken = True
        if taken:
            self._unset_keepalive_if_required()
        return bool(taken)

    def _go_long_way(self) -> None:
        if self._head_alone:
            super().data_received(self._take_head_alone())

    def _take_head_alone(self) -> bytes:
        if self._body_due is not None:
            self._body_due.cancel()
        head, self._head_alone, self._body_due = self._head_alone, b"", None
        return head

    def fixed_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return self.server_state.default_headers

    def reply(self, data: bytes, *, keep: bool) -> None:
        self._errand = None
        self._heard = self.loop.time()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.transport.write_whole(data)
        if not keep:
            self.transport.close()
        elif self._behind:
            behind, self._behind = self._behind, b""
            self.flow.resume_reading()
            self.data_received(behind)

    def shutdown(self) -> None:
        self._go_long_way()
        if self._errand is not None:
            self._errand.keep = False
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        self._inside = True
        self._head_begun = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_begun = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._inside = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._heard = self.loop.time()
        super().on_response_complete()

    def _rests(self) -> bool:
        return self._errand is None and (self.cycle is None or self.cycle.response_complete)

    def look(self) -> None:
        """Ends the connection where its client took too long; called now and then."""
        now, limits = self.loop.time(), self.limits
        waiting, taken = self.transport.get_write_buffer_size(), self.transport.taken()
        if self._unread.since(waiting, taken, now) > limits.unread_s:
            self.transport.abort()
        elif self._rests() and not self.transport.is_closing():
            if self._head_begun is not None:
                if now - self._head_begun > limits.head_s:
                    self.end_with(SLOW_HEAD)
            elif now - self._heard > limits.idle_s:
                self.transport.close()


class Unread:
    """Since when none of what was sent has been read."""

    def __init__(self) -> None:
        self._waited = False
        self._taken = 0
        self._since = 0.0

    def since(self, waiting: int, taken: int, now: float) -> float:
        """Seconds; ``waiting`` is what has not been read yet, ``taken`` what has ever been, in
        bytes: what waits may also grow while it is read."""
        if not (waiting and self._waited) or taken > self._taken:
            self._since = now
        self._waited, self._taken = bool(waiting), taken
        return now - self._since
