"""Wakes processes of this machine when there is something to look at in the database.

A bell is a folder of named pipes, one for each process that listens; ringing writes a byte into
each. Nobody relies on it: whoever listens also looks by itself now and then, which is all there is
between machines. A byte that is lost, doubled or late therefore changes nothing but the waiting.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import select
import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.conf import settings

QUEUED: Final = "queued"
"""Rings when a row waits for a worker."""

CHANGED: Final = "changed"
"""Rings when a row that somebody may be watching has changed."""

_OPEN: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)


def _folder(bell: str) -> Path:
    folder: Path = settings.ENVIRONMENT.home / "bells" / bell
    return folder


def ring(bell: str) -> None:
    """Wakes every listener of this machine; some ten microseconds for each, and never raises."""
    folder = _folder(bell)
    with contextlib.suppress(OSError):
        for pipe in folder.iterdir():
            if not pipe.name.startswith("."):
                _write_to(pipe)


def _write_to(path: Path) -> None:
    try:
        pipe = os.open(path, os.O_WRONLY | _OPEN)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nobody has it open: its process was killed
            path.unlink(missing_ok=True)
        return
    try:
        # A full pipe is one whose reader has been woken already.
        with contextlib.suppress(OSError):
            os.write(pipe, b"\0")
    finally:
        os.close(pipe)


class Listener:
    """One process's pipe. Where no named pipe can be made, only :meth:`poke` wakes it."""

    def __init__(self, bell: str) -> None:
        self._path: Path | None = None
        try:
            self._path, self._read = _named_pipe(_folder(bell))
            self._write = self._read
        except (OSError, AttributeError):
            self._read, self._write = os.pipe()
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)
        self._poll = select.poll()
        self._poll.register(self._read, select.POLLIN)

    def wait(self, timeout_s: float | None) -> bool:
        """Returns at the next ring, or True at once if it rang since the last wait; False when
        ``timeout_s`` seconds passed without."""
        if not self._poll.poll(None if timeout_s is None else 1000 * timeout_s):
            return False
        with contextlib.suppress(BlockingIOError):
            os.read(self._read, 65_536)
        return True

    def poke(self) -> None:
        """Wakes this listener alone; safe in a signal handler, and once it is closed."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def close(self) -> None:
        """Removes the pipe."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        for descriptor in {self._read, self._write}:
            os.close(descriptor)
        self._read = self._write = -1


def _named_pipe(folder: Path) -> tuple[Path, int]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{os.getpid()}-{secrets.token_hex(4)}"
    draft = folder / f".{name}"
    os.mkfifo(draft, 0o600)
    try:
        # Open for both, so that it never reads as ended, and only then under the name by which
        # it is rung: a pipe that nobody has open is taken for a dead process's.
        pipe = os.open(draft, os.O_RDWR | _OPEN)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft.rename(folder / name), pipe


class Watch:
    """Lets many threads of a process wait for one bell; its own thread lives with the process."""

    def __init__(self, bell: str) -> None:
        self._bell = bell
        self._rung = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def rung(self) -> int:
        """How often it rang. Read it before looking, and give it to :meth:`wait` after."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._listen, args=(Listener(self._bell),), name="bell", daemon=True
                )
                self._thread.start()
            return self._rung

    def wait(self, seen: int, timeout_s: float) -> None:
        """Returns once it rang more than ``seen`` times, or ``timeout_s`` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung != seen, timeout_s)

    def _listen(self, listener: Listener) -> None:
        while True:
            listener.wait(None)
            with self._changed:
                self._rung += 1
                self._changed.notify_all()


@lru_cache(maxsize=8)
def watch(bell: str) -> Watch:
    """This process's watch on a bell."""
    return Watch(bell)
