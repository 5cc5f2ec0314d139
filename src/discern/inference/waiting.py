"""The queue before a batcher: by length, the oldest first, the cancelled forgotten at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from itertools import count
from typing import Final, Generic, TypeVar

from discern.inference.tuning import EDGES, bucket_of

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")

PADDING_ALLOWED: Final = 0.8
"""A shorter item may fill up a batch if it is at least this share of the longest one."""
LOWER_BUCKETS: Final = 2
"""How many buckets below its own a batch may be filled up from."""
_SWEEP_ABOVE: Final = 256


class Ticket(Future[R], Generic[I, R]):
    """One queued item and its caller's future.

    Args:
        item: what to run.
        cost: its length in units of work.
        deadline: :func:`time.monotonic` instant after which it need not be begun.
        on_cancel: called once it has been cancelled.
    """

    def __init__(
        self,
        item: I,
        cost: int,
        deadline: float | None,
        on_cancel: Callable[[Ticket[I, R]], None],
    ) -> None:
        super().__init__()
        self.item = item
        self.cost = cost
        self.deadline = deadline
        self.queued_at = 0.0
        self.number = 0
        self.counted = False  # in its queue's totals
        self._on_cancel = on_cancel

    def cancel(self) -> bool:
        """Drops the item if it has not begun; its place in the queue is free at once."""
        cancelled = super().cancel()
        if cancelled:
            self._on_cancel(self)
        return cancelled


class WaitingRoom(Generic[I, R]):
    """Tickets in buckets of like length. Not thread-safe: its batcher's lock guards it.

    ``items`` and ``cost`` are the totals of what waits; ``cancelled`` counts what was dropped.
    """

    def __init__(self) -> None:
        self._buckets: list[deque[Ticket[I, R]]] = [deque() for _ in EDGES]
        self._numbers = count()
        self._left_behind = 0
        self.items = 0
        self.cost = 0
        self.cancelled = 0

    def add(self, ticket: Ticket[I, R], now: float) -> None:
        """Queues a ticket behind all others."""
        ticket.queued_at, ticket.number, ticket.counted = now, next(self._numbers), True
        self._buckets[bucket_of(ticket.cost)].append(ticket)
        self.items += 1
        self.cost += ticket.cost

    def forget(self, ticket: Ticket[I, R]) -> None:
        """Drops a cancelled ticket from the totals. It stays where it is until it is met, or
        until many like it have gathered."""
        if not self._uncount(ticket):
            return
        self.cancelled += 1
        self._left_behind += 1
        # Those who wait for several futures hear of a cancelled one only now.
        ticket.set_running_or_notify_cancel()
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
        self, first: int, room: int, max_cost: int, now: float
    ) -> tuple[list[Ticket[I, R]], list[Ticket[I, R]]]:
        """Takes a batch out of a bucket, in order of arrival, and fills it up from those below.

        Args:
            first: the bucket to begin with.
            room: the most items.
            max_cost: the most that items times the longest one's cost may come to; one item
                alone may cost more.
            now: items whose deadline is not after it are expired.

        Returns:
            The batch, and the expired items met on the way; all of them are begun.
        """
        batch: list[Ticket[I, R]] = []
        expired: list[Ticket[I, R]] = []
        longest = 0
        for index in range(first, max(first - LOWER_BUCKETS - 1, -1), -1):
            bucket = self._buckets[index]
            while bucket and len(batch) < room:
                cost = bucket[0].cost
                padded = max(longest, cost) * (len(batch) + 1)
                if batch and (padded > max_cost or cost < longest * PADDING_ALLOWED):
                    break
                ticket = bucket.popleft()
                if not self._claim(ticket):
                    continue
                if ticket.deadline is not None and ticket.deadline <= now:
                    expired.append(ticket)
                    continue
                batch.append(ticket)
                longest = max(longest, cost)
        return batch, expired

    def empty(self) -> list[Ticket[I, R]]:
        """Takes everything out, not begun."""
        tickets = [ticket for bucket in self._buckets for ticket in bucket if ticket.counted]
        for bucket in self._buckets:
            bucket.clear()
        for ticket in tickets:
            self._uncount(ticket)
        self._left_behind = 0
        return tickets

    def _claim(self, ticket: Ticket[I, R]) -> bool:
        if not ticket.counted:
            self._left_behind -= 1
            return False
        self._uncount(ticket)
        claimed = ticket.set_running_or_notify_cancel()
        if not claimed:  # between its cancelling and the forgetting of it
            self.cancelled += 1
        return claimed

    def _uncount(self, ticket: Ticket[I, R]) -> bool:
        if not ticket.counted:
            return False
        ticket.counted = False
        self.items -= 1
        self.cost -= ticket.cost
        return True
