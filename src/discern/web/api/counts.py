"""Where requests are counted: in a file that the processes of one machine share, or in the cache
that several machines share."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import mmap
import os
import struct
import threading
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from django.conf import settings
from django.core.cache import cache

from discern.errors import Unavailable

log = logging.getLogger(__name__)

_SLOT: Final = struct.Struct("<16sQIII4x")
SLOTS: Final = 65_536
"""How many callers are counted at once on one machine; past that the longest silent are
forgotten."""
_PROBES: Final = 8
_NOBODY: Final = (b"", 0, 0, 0, 0)
_MOST: Final = 2**32 - 1


class Counts(Protocol):
    """Counts of names in windows of time."""

    def add(self, name: str, period_s: int, window: int) -> tuple[int, int]:
        """Counts one more in the window of that number; returns its count and that of the window
        before. Windows of a name are ``period_s`` long, and a name has one such length."""
        ...


class CacheCounts:
    """In Django's cache; shared by whatever shares that."""

    def add(self, name: str, period_s: int, window: int) -> tuple[int, int]:
        """As :class:`Counts`.

        Raises:
            Unavailable: the cache does not answer.
        """
        try:
            return self._add(name, period_s, window)
        except Exception as error:  # each cache has its own
            log.warning("The cache that counts requests did not answer: %s", error)
            raise Unavailable(
                "The count of requests did not answer; try again shortly.", retry_after_s=2
            ) from error

    def _add(self, name: str, period_s: int, window: int) -> tuple[int, int]:
        key = f"rate:{name}:{period_s}:{window}"
        try:
            current = cache.incr(key)
        except ValueError:  # no count yet; another process may add it first
            cache.add(key, 0, timeout=2 * period_s)
            current = cache.incr(key)
        return current, cache.get(f"rate:{name}:{period_s}:{window - 1}", 0)


class FileCounts:
    """In a file of fixed size, mapped into every process that counts.

    Each name has one slot, found by its hash: when its last window was, and the counts of that one
    and of the one before. Another process's additions are seen at once, because they are made in
    the same memory, one at a time under the file's lock, which the system opens when its holder
    is killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._owner = -1
        self._file = -1
        self._slots: mmap.mmap | None = None

    def add(self, name: str, period_s: int, window: int) -> tuple[int, int]:
        """As :class:`Counts`.

        Raises:
            OSError: the file cannot be made or mapped.
        """
        digest = hashlib.blake2b(f"{period_s}:{name}".encode(), digest_size=16).digest()
        with self._lock:
            slots = self._opened()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                return self._add(slots, digest, period_s, window)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def clear(self) -> None:
        """Forgets every count."""
        with self._lock:
            slots = self._opened()
            slots[:] = bytes(len(slots))

    def close(self) -> None:
        """Lets go of the file; the next count opens it again."""
        with self._lock:
            if self._slots is not None:
                self._slots.close()
                os.close(self._file)
            self._slots, self._owner = None, -1

    def _add(self, slots: mmap.mmap, digest: bytes, period_s: int, window: int) -> tuple[int, int]:
        at, (known, last, current, before, _) = self._place(slots, digest)
        if known != digest or last < window - 1:
            current = before = 0
        elif last == window - 1:
            current, before = 0, current
        else:  # this window, or one ahead of a clock that was set back
            window = last
        current = min(current + 1, _MOST)
        _SLOT.pack_into(slots, at, digest, window, current, before, period_s)
        return current, before

    def _place(
        self, slots: mmap.mmap, digest: bytes
    ) -> tuple[int, tuple[bytes, int, int, int, int]]:
        """The name's own slot; else of those it may have the one that was silent longest."""
        first = int.from_bytes(digest[:4], "little") % SLOTS
        best, oldest, found = 0, None, _NOBODY
        for probe in range(_PROBES):
            at = (first + probe) % SLOTS * _SLOT.size
            slot = _SLOT.unpack_from(slots, at)
            if slot[0] == digest:
                return at, slot
            ended = slot[1] * slot[4]
            if oldest is None or ended < oldest:
                best, oldest, found = at, ended, slot
        return best, found

    def _opened(self) -> mmap.mmap:
        # A lock that was inherited over a fork would be held by both processes at once.
        if self._slots is None or self._owner != os.getpid():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.fstat(self._file).st_size != SLOTS * _SLOT.size:
                os.ftruncate(self._file, SLOTS * _SLOT.size)
            self._slots = mmap.mmap(self._file, SLOTS * _SLOT.size)
            self._owner = os.getpid()
        return self._slots


@lru_cache(maxsize=1)
def get_counts() -> Counts:
    """What the settings name: a file for one machine, the cache where it is shared by more."""
    path: Path | None = settings.RATE_COUNTS
    return CacheCounts() if path is None else FileCounts(path)
