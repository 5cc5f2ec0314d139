"""Which requests are plain enough for the short way, told from their first bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httptools

from discern.engine.wire import DEADLINE_HEADER
from discern.model_server.exchange import length_in, seconds_in

START: Final = b"POST /v1/analyze HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"
_DEADLINE: Final = DEADLINE_HEADER.lower().encode()
MOST_KEPT: Final = 256
LONGEST_KEPT: Final = 1024
# With any of these, connection or body are not of the plain kind.
_LONG_WAY: Final = frozenset(
    {b"connection", b"content-encoding", b"expect", b"transfer-encoding", b"upgrade"}
)
_STREAM: Final = b"application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Head:
    """What the head of a plain request says; ``length`` is its body's, in bytes."""

    length: int
    authorization: bytes
    patience_s: float


class Heads:
    """Reads heads with the parser that everybody else's are read with, and knows them again by
    their bytes: a client says nearly the same with every request."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def split(self, data: bytes) -> tuple[Head, int] | None:
        """Head and start of the body where ``data`` is one whole plain ``POST /v1/analyze`` and
        nothing else; None for all the rest, right or wrong."""
        start = data.find(_END) + 4
        if start == 3 or not data.startswith(START):
            return None
        raw = data[:start]
        head = self._known.get(raw) or self._read(raw)
        return (head, start) if head is not None and len(data) == start + head.length else None

    def lacks_body(self, data: bytes) -> bool:
        """Whether ``data`` is the head of such a request and nothing of its body: many clients
        send the two apart."""
        if not data.startswith(START) or data.find(_END) + 4 != len(data):
            return False
        head = self._known.get(data) or self._read(data)
        return head is not None and head.length > 0

    def _read(self, raw: bytes) -> Head | None:
        reader = _Reader()
        try:
            reader.parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        head = reader.head()
        del reader.parser  # each knows the other
        if head is not None and len(raw) <= LONGEST_KEPT:
            if len(self._known) == MOST_KEPT:
                self._known.clear()
            self._known[raw] = head
        return head


class _Reader:
    def __init__(self) -> None:
        self.parser = httptools.HttpRequestParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._plain = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # Other headers than Connection may end a connection, too.
        self._plain = self.parser.should_keep_alive()

    def head(self) -> Head | None:
        headers = dict(self._headers)
        length = length_in(headers.get(b"content-length", b""))
        if not self._plain or length is None or len(headers) != len(self._headers):
            return None
        if headers.get(b"connection", b"").lower() == b"keep-alive":
            del headers[b"connection"]
        content_type = headers.get(b"content-type", b"").lower()
        if _LONG_WAY & headers.keys() or content_type.startswith(_STREAM):
            return None
        given = headers.get(_DEADLINE)
        patience_s = float("inf") if given is None else seconds_in(given)
        if patience_s is None:  # is told so the long way
            return None
        return Head(length, headers.get(b"authorization", b""), patience_s)
