"""Server-sent events: what happens to a picture, as it happens (the WHATWG HTML standard, 9.2)."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
from django.conf import settings

from discern.errors import Overloaded
from discern.web.jobs.bells import CHANGED, watch
from discern.web.jobs.models import State
from discern.web.uploads.models import Upload

LOOK_EVERY_S: Final = 0.1
"""Between two looks when no bell rings, as for changes made on another machine."""

HEARTBEAT_S: Final = 15.0
LONGEST_S: Final = 600.0
FINAL: Final = frozenset({State.DONE, State.FAILED, State.DEAD})


class _Places:
    """The streams this process may have open, of which one person gets at most half."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._share = max(1, most // 2)
        self._taken: Counter[Any] = Counter()
        self._lock = threading.Lock()

    def take(self, person: Any) -> bool:
        """False when none is free for this person."""
        with self._lock:
            free = self._taken.total() < self._most and self._taken[person] < self._share
            if free:
                self._taken[person] += 1
            return free

    def give_back(self, person: Any) -> None:
        """Frees one that the person took."""
        with self._lock:
            self._taken -= Counter({person: 1})  # and forgets who has none


_places = _Places(settings.UPLOAD_EVENT_STREAMS)


def stream(
    upload_id: uuid.UUID, describe: Callable[[Upload], dict[str, Any]], *, person: Any
) -> Iterator[bytes]:
    """The events of one upload, as a body to stream: ``progress`` whenever its row changes, and
    last ``done``, or ``deleted`` where the row is gone. A comment is sent now and then, so that a
    connection that died is noticed; after ten minutes the stream ends and the browser asks for it
    again by itself.

    Raises:
        Overloaded: as many streams are open as this process may have, or ``person`` has half of
            them; poll instead.
    """
    if not _places.take(person):
        raise Overloaded(
            "Too many event streams are open; ask for the status instead, or again shortly.",
            retry_after_s=5,
        )
    return _Released(_events(upload_id, describe), lambda: _places.give_back(person))


class _Released:
    """Gives the stream's place back however it ends, also when it was never begun."""

    def __init__(self, events: Iterator[bytes], give_back: Callable[[], None]) -> None:
        self._events = events
        self._give_back = give_back
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Called by the server when the response has been sent or the client has gone."""
        if self._open:
            self._open = False
            self._give_back()


def _events(upload_id: uuid.UUID, describe: Callable[[Upload], dict[str, Any]]) -> Iterator[bytes]:
    began = spoke = time.monotonic()
    changes = watch(CHANGED)
    seen: tuple[Any, ...] | None = None
    yield b"retry: 1000\n\n"
    while time.monotonic() - began < LONGEST_S:
        rung = changes.rung
        row = Upload._default_manager.filter(pk=upload_id).first()
        if row is None:
            yield event("deleted", {"id": str(upload_id)})
            return
        mark = (row.state, row.progress_done, row.attempts, row.thumbnail)
        if mark != seen:
            seen, spoke = mark, time.monotonic()
            name = "done" if row.state in FINAL else "progress"
            yield event(name, describe(row))
            if name == "done":
                return
        elif time.monotonic() - spoke > HEARTBEAT_S:
            spoke = time.monotonic()
            yield b": still here\n\n"
        changes.wait(rung, LOOK_EVERY_S)


def event(name: str, data: dict[str, Any]) -> bytes:
    """One event on the wire."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data, default=str))
