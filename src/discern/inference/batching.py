"""Dynamic batching without a timer: a worker that is free takes what is queued."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from discern.errors import (
    DeadlineExceeded,
    DiscernError,
    Draining,
    InferenceFailed,
    Overloaded,
)
from discern.inference.contract import BatcherStats, BatchLimits, BatchRecord
from discern.inference.tuning import BatchTuner, bucket_of
from discern.inference.waiting import Place, Slip, Ticket, WaitingRoom

I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
Run = Callable[[int, list[I]], Sequence[R | DiscernError]]

_log = logging.getLogger(__name__)

MIN_RETRY_AFTER_S: Final = 0.1
OVERTIME: Final = 1.5
"""What has waited this many times the longest wait is refused after all: the speed by which it was
taken is no longer that of the machine, and the bound is a promise to those behind it, too."""
_NEW_WEIGHT: Final = 0.1


@dataclass(slots=True)
class _Counts:
    batches: int = 0
    done: int = 0
    failed: int = 0
    expired: int = 0
    refused: int = 0


class DynamicBatcher(Generic[I, R]):
    """Runs single items in batches on a few worker threads.

    A free worker takes the oldest item and others of about its length, so nothing waits for a
    timer, and under load batches grow by themselves. How large they may be is learned from their
    measured speed (:class:`~discern.inference.tuning.BatchTuner`). Where several workers are
    free they share what is queued.

    Args:
        run: called as ``run(worker_index, items)`` on that worker's thread; returns one answer or
            one error for each item. If it raises, the halves of the batch are tried again, down
            to the one item that is to blame.
        workers: how many batches may run at once.
        limits: of a batch and of the queue.
        name: begins the names of the threads.
        observe: told of every batch, on the worker's thread, before the answers are given out.
        clock: seconds a batch took; thread time where one thread does all the work, so that a
            busy neighbor does not look like a slow batch.
    """

    def __init__(
        self,
        run: Run[I, R],
        *,
        workers: int,
        limits: BatchLimits | None = None,
        name: str = "batcher",
        observe: Callable[[BatchRecord], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._run = run
        self._limits = limits or BatchLimits()
        self._observe = observe
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        self._queue: WaitingRoom[I, R] = WaitingRoom()
        self._tuner = BatchTuner(self._limits.max_batch_items)
        self._counts = _Counts()
        self._running = self._idle = 0
        self._cost_per_second = 0.0
        self._closing = False
        wait_s = self._limits.max_wait_s
        self._longest_wait = float("inf") if wait_s is None else OVERTIME * wait_s
        self._threads = [
            threading.Thread(target=self._work, args=(index,), name=f"{name}-{index}", daemon=True)
            for index in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, item: I, *, cost: int, deadline: float | None = None) -> Future[R]:
        """Queues one item.

        Args:
            cost: its length in units of work, 1 or more; items of like cost share batches.
            deadline: :func:`time.monotonic` instant after which it need not be begun.

        Raises:
            Overloaded: the queue is full; ``retry_after_s`` says when there should be room.
            Draining: the batcher is being closed.
            DeadlineExceeded: the deadline has passed already.
        """
        return self.submit_many([(item, cost)], deadline=deadline)[0]

    def submit_many(
        self,
        items: Iterable[tuple[I, int]],
        *,
        deadline: float | None = None,
        admitted: bool = False,
    ) -> list[Future[R]]:
        """Queues ``(item, cost)`` pairs that belong to one call: all of them or none.

        ``admitted`` says that this goes on with a call taken before, which is not refused
        half-way; the caller keeps the number of such items small.

        Raises: as :meth:`submit`.
        """
        tickets: list[Ticket[I, R]] = [
            Ticket(item, max(cost, 1), deadline, self._on_cancel) for item, cost in items
        ]
        now = time.monotonic()
        with self._changed:
            if self._closing:
                raise Draining("The model is being unloaded.")
            if deadline is not None and deadline <= now:
                self._counts.expired += len(tickets)
                raise DeadlineExceeded("The time for this request ran out before it was begun.")
            if not admitted:
                self._admit(len(tickets))
            for ticket in tickets:
                ticket.goes_on = admitted
                self._queue.add(ticket, now)
            if self._idle:
                self._changed.notify(min(self._idle, len(tickets)))
        return list(tickets)

    def try_submit(
        self,
        item: I,
        *,
        cost: int,
        deadline: float | None,
        told: Callable[[R | DiscernError], None],
    ) -> Callable[[], None] | None:
        """Queues one item without a future, where :meth:`submit` would; else None, and nothing
        is counted as refused.

        Args:
            told: called once with the answer or the error, on a worker's thread, unless the item
                was dropped first.

        Returns:
            What drops the item if it has not begun, and is harmless if it has.
        """
        slip: Slip[I, R] = Slip(item, max(cost, 1), deadline, told)
        now = time.monotonic()
        with self._changed:
            late = deadline is not None and deadline <= now
            if self._closing or late or self._is_full(1):
                return None
            self._queue.add(slip, now)
            if self._idle:
                self._changed.notify()
        return partial(self._on_cancel, slip)

    def has_room(self) -> bool:
        """Whether an item would be taken now."""
        with self._changed:
            return not self._is_full(1)

    def turned_away(self) -> None:
        """Counts an item that was refused with an answer made before."""
        with self._changed:
            self._counts.refused += 1

    def check_room(self) -> None:
        """Refuses now what :meth:`submit` would refuse, before work is spent on preparing it.

        Raises:
            Overloaded: as :meth:`submit`, for one item.
        """
        with self._changed:
            self._admit(1)

    def stats(self) -> BatcherStats:
        """A consistent snapshot."""
        with self._changed:
            counts = self._counts
            return BatcherStats(
                workers=len(self._threads),
                queued_items=self._queue.items,
                queued_cost=self._queue.cost,
                running_items=self._running,
                expected_wait_s=self._expected_wait(),
                batches=counts.batches,
                done=counts.done,
                failed=counts.failed,
                expired=counts.expired,
                cancelled=self._queue.cancelled,
                refused=counts.refused,
                batch_limits=self._tuner.learned(),
            )

    def close(self, *, drain: bool = False, timeout_s: float = 30.0) -> None:
        """Stops the workers after the batches they are running; harmless when repeated.

        ``drain`` runs what is queued first; otherwise it fails with
        :class:`~discern.errors.Draining`.
        """
        dropped: list[Place[I, R]] = []
        with self._changed:
            self._closing = True
            if not drain:
                dropped = self._queue.empty()
            self._changed.notify_all()
        for place in dropped:
            if place.begin():
                place.tell(Draining("The model was unloaded before this was begun."))
        end = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(end - time.monotonic(), 0.0))

    def _admit(self, wanted: int) -> None:
        if not self._is_full(wanted):
            return
        limits, wait_s = self._limits, self._expected_wait()
        by_time = limits.max_wait_s is not None and wait_s > limits.max_wait_s
        self._counts.refused += wanted
        raise Overloaded(
            f"{self._queue.items:,} items are waiting, about {wait_s:.1f} s of work; "
            "the queue takes no more.",
            limit=limits.max_wait_s if by_time else limits.max_queue_items,
            retry_after_s=max(round(wait_s / 2, 2), MIN_RETRY_AFTER_S),
        )

    def _is_full(self, wanted: int) -> bool:
        limits, items = self._limits, self._queue.items
        if limits.max_wait_s is not None and self._expected_wait() > limits.max_wait_s:
            return True
        return items > 0 and items + wanted > limits.max_queue_items

    def _expected_wait(self) -> float:
        if not self._cost_per_second:
            return 0.0
        return self._queue.cost / (self._cost_per_second * len(self._threads))

    def _on_cancel(self, place: Place[I, R]) -> None:
        with self._changed:
            self._queue.forget(place)

    def _work(self, worker: int) -> None:
        begun, cost = 0.0, 0
        while True:
            with self._changed:
                if cost:
                    self._learn_speed(cost, time.monotonic() - begun)
                self._idle += 1
                while not self._queue.items and not self._closing:
                    self._changed.wait()
                if not self._queue.items:
                    return
                batch, expired = self._take()
                self._idle -= 1
                self._running += len(batch)
                begun, cost = time.monotonic(), sum(place.cost for place in batch)
            for place, error in expired:
                place.tell(error)
            if batch:
                self._run_batch(worker, batch)
            # Not held while waiting for more: answers can be large.
            del batch, expired

    def _take(self) -> tuple[list[Place[I, R]], list[tuple[Place[I, R], DiscernError]]]:
        first = self._queue.oldest_bucket()
        if first is None:
            return [], []
        share = -(-self._queue.items // max(self._idle, 1))
        room = min(self._tuner.limit(first, self._queue.items), share)
        now = time.monotonic()
        batch, expired = self._queue.take(
            first, room, self._limits.max_batch_cost, now, now - self._longest_wait
        )
        return batch, [(place, self._why_expired(place, now)) for place in expired]

    def _why_expired(self, place: Place[I, R], now: float) -> DiscernError:
        if place.deadline is not None and place.deadline <= now:
            self._counts.expired += 1
            return DeadlineExceeded("The time for this request ran out before it was begun.")
        self._counts.refused += 1
        return Overloaded(
            "The work before this took longer than was foreseen.",
            limit=self._limits.max_wait_s,
            retry_after_s=max(round(self._expected_wait() / 2, 2), MIN_RETRY_AFTER_S),
        )

    def _run_batch(self, worker: int, batch: list[Place[I, R]]) -> None:
        started, clock_started = time.monotonic(), self._clock()
        answers = self._answers(worker, [place.item for place in batch])
        took, seconds = self._clock() - clock_started, time.monotonic() - started
        failed = sum(isinstance(answer, DiscernError) for answer in answers)
        costs = [place.cost for place in batch]
        with self._changed:
            self._tuner.learn(bucket_of(max(costs)), len(costs), sum(costs), took)
            self._running -= len(batch)
            self._counts.batches += 1
            self._counts.failed += failed
            self._counts.done += len(batch) - failed
        waited = [started - place.queued_at for place in batch]
        self._tell(BatchRecord(len(batch), sum(costs), waited, seconds))
        for place, answer in zip(batch, answers, strict=True):
            place.tell(answer)

    def _tell(self, record: BatchRecord) -> None:
        if self._observe is None:
            return
        try:
            self._observe(record)
        except Exception:  # a fault in counting must not cost the callers their answers
            _log.exception("the observer of a batch failed")

    def _learn_speed(self, cost: int, seconds: float) -> None:
        # From taking a batch to having given its answers out: where the processors are short, a
        # worker waits as long for its turn as the runtime takes.
        if seconds > 0:
            weight = _NEW_WEIGHT if self._cost_per_second else 1.0
            self._cost_per_second += weight * (cost / seconds - self._cost_per_second)

    def _answers(self, worker: int, items: list[I]) -> Sequence[R | DiscernError]:
        try:
            answers = self._run(worker, items)
            if len(answers) != len(items):
                raise InferenceFailed(f"{len(items)} items gave {len(answers)} answers.")
        except Exception as error:  # whatever it is, no other caller may pay for it
            if len(items) == 1:
                return [_as_core_error(error)]
            half = len(items) // 2
            first = self._answers(worker, items[:half])
            return [*first, *self._answers(worker, items[half:])]
        return answers


def _as_core_error(error: Exception) -> DiscernError:
    if isinstance(error, DiscernError):
        return error
    failure = InferenceFailed("The model failed on this input.")
    failure.__cause__ = error
    return failure
