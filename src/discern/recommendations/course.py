"""What a fit tells of itself on its way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[str], None]
Course = Callable[[int, int], None]
"""Told how many contents are solved and how many there are to solve, both passes together."""


class Passes:
    """Adds up what several solutions of all contents tell of themselves. A pass that leaves out
    contents, as nobody knows them, has done its whole share at its end all the same."""

    def __init__(self, size: int, passes: int, progress: Course | None) -> None:
        self._size = size
        self._total = size * passes
        self._ended = 0
        self._progress = progress or (lambda _done, _total: None)

    @contextmanager
    def one(self) -> Iterator[Callable[[int], None]]:
        """Begins a pass; call what it gives with the contents solved since the last call."""
        done = 0

        def solved(more: int) -> None:
            nonlocal done
            done += more
            self._progress(self._ended + done, self._total)

        yield solved
        self._ended += self._size
        self._progress(self._ended, self._total)


def with_time_left(say: Report, deadline: float) -> Report:
    """``say`` with the seconds until ``deadline``, of ``time.perf_counter``, after each line."""

    def told(line: str) -> None:
        say(f"{line}, {max(0.0, deadline - time.perf_counter()):.0f} s left")

    return told
