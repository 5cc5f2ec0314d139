"""Ends what takes too long, without a timer for each of the many that do not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

NEAR_S: Final = 0.5
"""Only a deadline this near is worth a timer; most answers are there before theirs is."""

T = TypeVar("T", bound=Hashable)


class Deadlines(Generic[T]):
    """Calls ``expired`` with each item at its deadline, unless it was taken out before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, expired: Callable[[T], None]) -> None:
        self._loop = loop
        self._expired = expired
        self._far: dict[T, float] = {}
        self._near: dict[T, float] = {}
        self._looks = False

    def add(self, item: T, deadline: float) -> None:
        """``deadline`` is a :func:`time.monotonic` instant."""
        if deadline - time.monotonic() < NEAR_S:
            self._time(item, deadline)
            return
        self._far[item] = deadline
        if not self._looks:
            self._looks = True
            self._loop.call_later(NEAR_S / 2, self._look)

    def discard(self, item: T) -> None:
        """Takes an item out, if it is there."""
        if self._far.pop(item, None) is None:
            self._near.pop(item, None)

    def _look(self) -> None:
        soon = time.monotonic() + NEAR_S
        for item in [item for item, deadline in self._far.items() if deadline < soon]:
            self._time(item, self._far.pop(item))
        self._looks = bool(self._far)
        if self._looks:
            self._loop.call_later(NEAR_S / 2, self._look)

    def _time(self, item: T, deadline: float) -> None:
        self._near[item] = deadline
        self._loop.call_later(max(deadline - time.monotonic(), 0.0), self._end, item)

    def _end(self, item: T) -> None:
        deadline = self._near.pop(item, None)
        if deadline is None:
            return
        if deadline > time.monotonic():  # the loop's clock is coarser
            self._time(item, deadline)
        else:
            self._expired(item)
