"""Refuses a text in a few microseconds where the queue is full, before the request is even parsed.

At ten times what a model can do, nine requests of ten are refused. If each cost as much to read as
an accepted one, refusing would take the processors from answering, and everyone would wait for it.
"""

from __future__ import annotations

import re
from typing import Final

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.sentiment import LoadedSentiment
from discern.errors import Overloaded
from discern.model_server.exchange import Reply, error_reply
from discern.model_server.server import Server
from discern.model_server.statuses import outcome_of

_START: Final = b"POST /v1/analyze HTTP/1.1\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d{1,9})\r\n", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(rb"\r\nauthorization: *([^\r\n]*)\r\n", re.IGNORECASE)
# With any of these, the request takes the long way: another model's queue may have room, lines are
# slowed down instead, and the connection or the body are not of the plain kind.
_LONG_WAY: Final = re.compile(
    rb'"model"|\r\n(?:connection:(?! *keep-alive\r)|content-type: *application/x-ndjson'
    rb"|expect:|transfer-encoding:|upgrade:)",
    re.IGNORECASE,
)


class Refusals:
    """Looks at the bytes of one whole request; gives those of its refusal, or None."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __call__(self, data: bytes) -> bytes | None:
        """``data`` is what arrived at once, at the beginning of a request."""
        if self._server.draining or not data.startswith(_START):
            return None
        loaded = self._server.engine.residents.peek(SENTIMENT_TASK)
        if not isinstance(loaded, LoadedSentiment) or loaded.runner.has_room():
            return None
        if not _is_whole(data) or _LONG_WAY.search(data) or not self._server.knows(_caller(data)):
            return None
        try:
            loaded.runner.check_room()
        except Overloaded as error:
            self._server.metrics.ended("analyze", outcome_of(error))
            return _bytes(error_reply(error))
        return None


def _is_whole(data: bytes) -> bool:
    length = _LENGTH.search(data)
    end = data.find(b"\r\n\r\n")
    return length is not None and length.end() <= end + 2 and len(data) == end + 4 + int(length[1])


def _caller(data: bytes) -> bytes:
    given = _AUTHORIZATION.search(data, 0, data.find(b"\r\n\r\n") + 2)
    return given[1] if given else b""


def _bytes(reply: Reply) -> bytes:
    head = [
        b"HTTP/1.1 %d Service Unavailable" % reply.status,
        b"content-type: " + reply.content_type,
        b"content-length: %d" % len(reply.body),
        *(name + b": " + value for name, value in reply.headers),
    ]
    return b"\r\n".join([*head, b"", reply.body])
