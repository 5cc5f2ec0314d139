"""The queue before a batcher: by length, the oldest first, the cancelled forgotten at once."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Final, Generic, TypeVar

from discern.errors import DiscernError
from discern.inference.tuning import EDGES, bucket_of

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

_log = logging.getLogger(__name__)

PADDING_ALLOWED: Final = 0.8
"""A shorter item may fill up a batch if it is at least this share of the longest one."""
LOWER_BUCKETS: Final = 2
"""How many buckets below its own a batch may be filled up from."""
_SWEEP_ABOVE: Final = 256


class Place(Generic[I, R]):
    """One queued item, and how its caller is told of the outcome.

    Args:
        item: what to run.
        cost: its length in units of work.
        deadline: :func:`time.monotonic` instant after which it need not be begun.
    """

    __slots__ = ("cost", "counted", "deadline", "goes_on", "item", "number", "queued_at")

    def __init__(self, item: I, cost: int, deadline: float | None) -> None:
        self.item = item
        self.cost = cost
        self.deadline = deadline
        self.queued_at = 0.0
        self.number = 0
        self.counted = False  # in its queue's totals
        self.goes_on = False  # with a call that was taken before

    def begin(self) -> bool:
        """False where it was cancelled before."""
        raise NotImplementedError

    def tell(self, outcome: R | DiscernError) -> None:
        """Hands the answer or the error over."""
        raise NotImplementedError


class Ticket(Place[I, R], Future[R]):
    """One queued item and its caller's future.

    Args:
        on_cancel: called once it has been cancelled.
    """

    def __init__(
        self,
        item: I,
        cost: int,
        deadline: float | None,
        on_cancel: Callable[[Ticket[I, R]], None],
    ) -> None:
        Future.__init__(self)
        Place.__init__(self, item, cost, deadline)
        self._on_cancel = on_cancel

    def begin(self) -> bool:
        return self.set_running_or_notify_cancel()

    def tell(self, outcome: R | DiscernError) -> None:
        if isinstance(outcome, DiscernError):
            self.set_exception(outcome)
        else:
            self.set_result(outcome)

    def cancel(self) -> bool:
        """Drops the item if it has not begun; its place in the queue is free at once."""
        cancelled = super().cancel()
        if cancelled:
            self._on_cancel(self)
        return cancelled


class Slip(Place[I, R]):
    """One queued item without a future, whose locks cost more than all the rest of queueing.

    Args:
        told: called with the outcome, on a worker's thread.
    """

    __slots__ = ("_told",)

    def __init__(
        self,
        item: I,
        cost: int,
        deadline: float | None,
        told: Callable[[R | DiscernError], None],
    ) -> None:
        super().__init__(item, cost, deadline)
        self._told = told

    def begin(self) -> bool:
        return True  # one that was dropped is out of the totals, and never met

    def tell(self, outcome: R | DiscernError) -> None:
        try:
            self._told(outcome)
        except Exception:  # a fault of one caller must not cost the others their answers
            _log.exception("a caller failed on its answer")


class WaitingRoom(Generic[I, R]):
    """Items in buckets of like length. Not thread-safe: its batcher's lock guards it.

    ``items`` and ``cost`` are the totals of what waits; ``cancelled`` counts what was dropped.
    """

    def __init__(self) -> None:
        self._buckets: list[deque[Place[I, R]]] = [deque() for _ in EDGES]
        self._numbers = count()
        self._left_behind = 0
        self.items = 0
        self.cost = 0
        self.cancelled = 0

    def add(self, place: Place[I, R], now: float) -> None:
        """Queues an item behind all others."""
        place.queued_at, place.number, place.counted = now, next(self._numbers), True
        self._buckets[bucket_of(place.cost)].append(place)
        self.items += 1
        self.cost += place.cost

    def forget(self, place: Place[I, R]) -> None:
        """Drops a cancelled item from the totals. It stays where it is until it is met, or
        until many like it have gathered."""
        if not self._uncount(place):
            return
        self.cancelled += 1
        self._left_behind += 1
        # Those who wait for several futures hear of a cancelled one only now.
        place.begin()
        if self._left_behind > max(_SWEEP_ABOVE, self.items):
            for index, bucket in enumerate(self._buckets):
                self._buckets[index] = deque(other for other in bucket if other.counted)
            self._left_behind = 0

    def oldest_bucket(self) -> int | None:
        """The bucket that holds the item which has waited longest, None if nothing waits."""
        oldest: int | None = None
        number = -1
        for index, bucket in enumerate(self._buckets):
            while bucket and not bucket[0].counted:
                bucket.popleft()
                self._left_behind -= 1
            if bucket and (oldest is None or bucket[0].number < number):
                oldest, number = index, bucket[0].number
        return oldest

    def take(
        self, first: int, room: int, max_cost: int, now: float, stale: float = float("-inf")
    ) -> tuple[list[Place[I, R]], list[Place[I, R]]]:
        """Takes a batch out of a bucket, in order of arrival, and fills it up from those below.

        Args:
            first: the bucket to begin with.
            room: the most items.
            max_cost: the most that items times the longest one's cost may come to; one item
                alone may cost more.
            now: items whose deadline is not after it are expired.
            stale: so are those queued before it, unless they go on with a call.

        Returns:
            The batch, and the expired items met on the way; all of them are begun.
        """
        batch: list[Place[I, R]] = []
        expired: list[Place[I, R]] = []
        longest = 0
        for index in range(first, max(first - LOWER_BUCKETS - 1, -1), -1):
            bucket = self._buckets[index]
            while bucket and len(batch) < room:
                cost = bucket[0].cost
                padded = max(longest, cost) * (len(batch) + 1)
                if batch and (padded > max_cost or cost < longest * PADDING_ALLOWED):
                    break
                place = bucket.popleft()
                if not self._claim(place):
                    continue
                late = place.deadline is not None and place.deadline <= now
                if late or (place.queued_at < stale and not place.goes_on):
                    expired.append(place)
                    continue
                batch.append(place)
                longest = max(longest, cost)
        return batch, expired

    def empty(self) -> list[Place[I, R]]:
        """Takes everything out, not begun."""
        places = [place for bucket in self._buckets for place in bucket if place.counted]
        for bucket in self._buckets:
            bucket.clear()
        for place in places:
            self._uncount(place)
        self._left_behind = 0
        return places

    def _claim(self, place: Place[I, R]) -> bool:
        if not place.counted:
            self._left_behind -= 1
            return False
        self._uncount(place)
        claimed = place.begin()
        if not claimed:  # between its cancelling and the forgetting of it
            self.cancelled += 1
        return claimed

    def _uncount(self, place: Place[I, R]) -> bool:
        if not place.counted:
            return False
        place.counted = False
        self.items -= 1
        self.cost -= place.cost
        return True
