"""What other threads finished, handed to the event loop: it wakes once for a whole batch."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Arrivals(Generic[T]):
    """A queue from any thread to the loop's own.

    Args:
        loop: the one that is woken.
        take: called on its thread with each item, in the order of their coming.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, take: Callable[[T], None]) -> None:
        self._loop = loop
        self._take = take
        self._items: deque[T] = deque()
        self._called = False

    def put(self, item: T) -> None:
        """From any thread."""
        self._items.append(item)
        if not self._called:
            self._called = True
            # The loop may be closed already when the process ends.
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._called = False
        while self._items:
            self._take(self._items.popleft())
