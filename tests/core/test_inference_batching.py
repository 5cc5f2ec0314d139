from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from discern.errors import (
    ConfigurationInvalid,
    DeadlineExceeded,
    DiscernError,
    Draining,
    InferenceFailed,
    InvalidInput,
    Overloaded,
)
from discern.inference.batching import DynamicBatcher
from discern.inference.contract import BatchLimits, BatchRecord
from discern.inference.tuning import bucket_of
from discern.inference.waiting import PADDING_ALLOWED

PATIENCE_S = 20.0
"""Far above what any step takes even on a crowded machine; passing never depends on it."""


@dataclass
class Bench:
    """A runner that echoes, records its batches, and can be held shut."""

    batches: list[list[tuple[int, int]]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def run(self, worker: int, items: list[tuple[int, int]]) -> list[str | DiscernError]:
        with self.lock:
            self.batches.append(items)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        with self.lock:
            self.running -= 1
        if any(poison == 2 for _, poison in items):
            raise ValueError("the whole batch fails because of one item")
        return [InvalidInput("bad") if poison == 1 else f"answer {n}" for n, poison in items]


@contextmanager
def batcher(
    bench: Bench, *, workers: int = 2, **limits: float
) -> Iterator[DynamicBatcher[tuple[int, int], str]]:
    made: DynamicBatcher[tuple[int, int], str] = DynamicBatcher(
        bench.run,
        workers=workers,
        limits=BatchLimits(**limits),  # type: ignore[arg-type]
    )
    try:
        yield made
    finally:
        bench.gate.set()
        made.close()


Plan = tuple[int, int, str]
plans = st.lists(
    st.tuples(
        st.integers(1, 600),
        st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
        st.sampled_from(["wait", "wait", "wait", "cancel", "late", "soon", "pause"]),
    ),
    max_size=40,
)


@given(
    callers=st.lists(plans, min_size=1, max_size=4),
    workers=st.integers(1, 3),
    max_items=st.integers(1, 9),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a race does not shrink
)
def test_every_caller_gets_its_own_answer_exactly_once_whatever_the_others_do(
    callers: list[list[Plan]], workers: int, max_items: int
) -> None:
    bench = Bench()
    with batcher(bench, workers=workers, max_batch_items=max_items, max_batch_cost=900) as made:
        outcomes: dict[int, tuple[Plan, Future[str] | DiscernError]] = {}

        def call(caller: int, plan: list[Plan]) -> None:
            for index, step in enumerate(plan):
                number = caller * 1000 + index
                outcomes[number] = (step, _submit(made, number, step))

        threads = [
            threading.Thread(target=call, args=(caller, plan))
            for caller, plan in enumerate(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        futures = [item for _, item in outcomes.values() if isinstance(item, Future)]
        assert not wait(futures, PATIENCE_S).not_done
        for number, (step, outcome) in outcomes.items():
            _check(number, step, outcome)
        # What had begun when it was dropped goes on.
        _until(lambda: not made.stats().running_items)
        stats = made.stats()
    assert len(outcomes) == sum(map(len, callers))
    total = stats.done + stats.failed + stats.expired + stats.cancelled
    assert total == len(outcomes)
    assert (stats.queued_items, stats.queued_cost, stats.running_items) == (0, 0, 0)
    assert bench.most_running <= workers
    assert all(len(batch) <= max_items for batch in bench.batches)


def _submit(
    made: DynamicBatcher[tuple[int, int], str], number: int, step: Plan
) -> Future[str] | DiscernError:
    cost, poison, what = step
    if what == "pause":
        time.sleep(0.0005)
    offset = {"late": -1.0, "soon": 0.0005}.get(what)
    deadline = None if offset is None else time.monotonic() + offset
    slipped = Slipped()
    drop = None
    if number % 2:
        drop = made.try_submit((number, poison), cost=cost, deadline=deadline, told=slipped.tell)
    if drop is not None:
        if what == "cancel":
            drop()
            slipped.drop()
        return slipped
    try:
        future = made.submit((number, poison), cost=cost, deadline=deadline)
    except DeadlineExceeded as error:
        return error
    if what == "cancel":
        future.cancel()
    return future


SETTLING = threading.Lock()


class Slipped(Future[str]):
    """What is told to one that was queued without a future, and how often."""

    tells = 0

    def tell(self, outcome: str | DiscernError) -> None:
        self.tells += 1
        if isinstance(outcome, DiscernError):
            self._settle(lambda: self.set_exception(outcome))
        else:
            self._settle(lambda: self.set_result(outcome))

    def drop(self) -> None:
        self._settle(self.cancel)

    def _settle(self, how: Callable[[], object]) -> None:
        with SETTLING:
            if not self.done():
                how()
                if self.cancelled():
                    self.set_running_or_notify_cancel()  # those who wait hear of it


def _check(number: int, step: Plan, outcome: Future[str] | DiscernError) -> None:
    _, poison, what = step
    if isinstance(outcome, DiscernError):
        assert what in ("late", "soon")
        return
    assert what != "late"
    if isinstance(outcome, Slipped):
        assert outcome.tells == 1 or (what == "cancel" and outcome.tells == 0)
    try:
        assert outcome.result() == f"answer {number}"
    except CancelledError:
        assert what == "cancel"
    except DeadlineExceeded:
        assert what == "soon"
    except InvalidInput:
        assert poison == 1
    except InferenceFailed:
        assert poison == 2
    else:
        assert poison == 0


def hold(bench: Bench, made: DynamicBatcher[tuple[int, int], str], workers: int = 1) -> None:
    """Occupies the workers, so that what follows queues up."""
    bench.gate.clear()
    for index in range(workers):
        made.submit((-1 - index, 0), cost=1)
        assert bench.entered.acquire(timeout=PATIENCE_S)


@given(costs=st.lists(st.integers(1, 500), min_size=1, max_size=60))
@settings(max_examples=40, deadline=None)
def test_the_oldest_item_is_always_in_the_next_batch_and_batches_hold_like_lengths(
    costs: list[int],
) -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_batch_items=8, max_batch_cost=1000) as made:
        hold(bench, made)
        futures = [made.submit((n, 0), cost=cost) for n, cost in enumerate(costs)]
        bench.gate.set()
        assert [future.result(PATIENCE_S) for future in futures] == [
            f"answer {n}" for n in range(len(costs))
        ]
    left = set(range(len(costs)))
    for batch in bench.batches[1:]:
        numbers = [n for n, _ in batch]
        assert min(left) in numbers
        left -= set(numbers)
        longest = max(costs[n] for n in numbers)
        assert len(numbers) == 1 or longest * len(numbers) <= 1000
        # Within a bucket in order of arrival; from lower buckets only what is nearly as long.
        of_its_bucket = [n for n in numbers if bucket_of(costs[n]) == bucket_of(longest)]
        assert of_its_bucket == sorted(of_its_bucket)
        others = set(numbers) - set(of_its_bucket)
        assert all(costs[n] >= longest * PADDING_ALLOWED for n in others)
    assert not left


def test_a_free_worker_takes_a_single_item_at_once_without_waiting_for_more() -> None:
    bench = Bench()
    with batcher(bench) as made:
        assert made.submit((7, 0), cost=3).result(PATIENCE_S) == "answer 7"
    assert bench.batches == [[(7, 0)]]


def test_what_queues_while_all_are_busy_is_run_together() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_batch_items=16) as made:
        hold(bench, made)
        futures = [made.submit((n, 0), cost=20) for n in range(16)]
        bench.gate.set()
        wait(futures, PATIENCE_S)
    assert [len(batch) for batch in bench.batches] == [1, 16]


def test_a_full_queue_refuses_with_a_time_to_come_back_and_keeps_what_it_took() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_queue_items=4) as made:
        hold(bench, made)
        taken = [made.submit((n, 0), cost=5) for n in range(4)]
        with pytest.raises(Overloaded) as caught:
            made.submit((99, 0), cost=5)
        assert caught.value.retry_after_s is not None
        assert caught.value.retry_after_s > 0
        assert caught.value.limit == 4
        with pytest.raises(Overloaded):
            made.check_room()
        bench.gate.set()
        assert [future.result(PATIENCE_S) for future in taken] == [f"answer {n}" for n in range(4)]
        assert made.stats().refused == 2
        made.check_room()
        assert made.submit((5, 0), cost=5).result(PATIENCE_S) == "answer 5"


def test_a_call_is_taken_whole_or_refused_whole() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_queue_items=4) as made:
        hold(bench, made)
        made.submit_many([((n, 0), 5) for n in range(3)])
        with pytest.raises(Overloaded):
            made.submit_many([((n, 0), 5) for n in range(2)])
        assert made.stats().queued_items == 3
        made.submit_many([((n, 0), 5) for n in range(2)], admitted=True)
        assert made.stats().queued_items == 5


def test_a_call_larger_than_the_queue_is_taken_when_the_queue_is_empty() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_queue_items=4) as made:
        futures = made.submit_many([((n, 0), 5) for n in range(9)])
        assert len({future.result(PATIENCE_S) for future in futures}) == 9


def test_the_queue_is_also_bounded_by_the_time_its_work_will_take() -> None:
    bench = Bench()

    def slow(worker: int, items: list[tuple[int, int]]) -> list[str | DiscernError]:
        time.sleep(0.02)
        return bench.run(worker, items)

    made: DynamicBatcher[tuple[int, int], str] = DynamicBatcher(
        slow, workers=1, limits=BatchLimits(max_wait_s=0.5, max_batch_items=1)
    )
    made.submit((0, 0), cost=10).result(PATIENCE_S)  # now the speed is known: 500 a second at most
    hold(bench, made)
    with pytest.raises(Overloaded) as caught:
        _fill(made, 200)
    assert caught.value.limit == 0.5
    assert made.stats().expected_wait_s > 0.5
    bench.gate.set()
    made.close()


def test_cancelled_items_leave_the_queue_at_once_and_are_never_run() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_queue_items=600) as made:
        hold(bench, made)
        futures = [made.submit((n, 0), cost=9) for n in range(600)]
        assert all(future.cancel() for future in futures)
        assert (made.stats().queued_items, made.stats().queued_cost) == (0, 0)
        kept = made.submit((1000, 0), cost=9)
        bench.gate.set()
        assert kept.result(PATIENCE_S) == "answer 1000"
        assert made.stats().cancelled == 600
    assert bench.batches[1:] == [[(1000, 0)]]


def test_an_item_whose_deadline_passed_in_the_queue_is_dropped_unrun() -> None:
    bench = Bench()
    with batcher(bench, workers=1) as made:
        hold(bench, made)
        late = made.submit((1, 0), cost=5, deadline=time.monotonic() + 0.01)
        patient = made.submit((2, 0), cost=5, deadline=time.monotonic() + PATIENCE_S * 10)
        time.sleep(0.02)
        bench.gate.set()
        with pytest.raises(DeadlineExceeded):
            late.result(PATIENCE_S)
        assert patient.result(PATIENCE_S) == "answer 2"
        assert made.stats().expired == 1
    assert bench.batches[1:] == [[(2, 0)]]


def test_one_item_that_breaks_its_batch_fails_alone() -> None:
    bench = Bench()
    with batcher(bench, workers=1, max_batch_items=16) as made:
        hold(bench, made)
        futures = [made.submit((n, 2 if n == 5 else 0), cost=20) for n in range(16)]
        bench.gate.set()
        for n, future in enumerate(futures):
            if n == 5:
                with pytest.raises(InferenceFailed):
                    future.result(PATIENCE_S)
            else:
                assert future.result(PATIENCE_S) == f"answer {n}"
        assert made.stats().failed == 1


def test_an_answer_missing_from_a_batch_is_a_failure_and_never_another_items_answer() -> None:
    def short(worker: int, items: list[int]) -> list[int]:
        return items[:-1] if len(items) > 1 else items

    made: DynamicBatcher[int, int] = DynamicBatcher(short, workers=1)
    futures = made.submit_many([(n, 9) for n in range(8)])
    assert [future.result(PATIENCE_S) for future in futures] == list(range(8))
    made.close()


def test_a_batcher_outlives_a_run_that_fails_and_an_observer_that_fails() -> None:
    def observe(record: BatchRecord) -> None:
        raise RuntimeError("cannot count")

    bench = Bench()
    made: DynamicBatcher[tuple[int, int], str] = DynamicBatcher(
        bench.run, workers=1, observe=observe
    )
    with pytest.raises(InferenceFailed):
        made.submit((1, 2), cost=1).result(PATIENCE_S)
    assert made.submit((2, 0), cost=1).result(PATIENCE_S) == "answer 2"
    made.close()


def test_closing_fails_what_is_queued_and_draining_runs_it() -> None:
    for drain in (False, True):
        bench = Bench()
        with batcher(bench, workers=1) as made:
            hold(bench, made)
            queued = made.submit((1, 0), cost=5)
            closer = threading.Thread(target=made.close, kwargs={"drain": drain})
            closer.start()
            _until(lambda: _refuses(made))
            bench.gate.set()
            closer.join(PATIENCE_S)
            if drain:
                assert queued.result(PATIENCE_S) == "answer 1"
            else:
                with pytest.raises(Draining):
                    queued.result(PATIENCE_S)
            made.close()


def test_the_observer_is_told_items_waits_and_time_of_every_batch() -> None:
    records: list[BatchRecord] = []
    bench = Bench()
    made: DynamicBatcher[tuple[int, int], str] = DynamicBatcher(
        bench.run, workers=1, observe=records.append
    )
    hold(bench, made)
    futures = [made.submit((n, 0), cost=4) for n in range(3)]
    bench.gate.set()
    wait(futures, PATIENCE_S)
    made.close()
    assert [record.items for record in records] == [1, 3]
    assert [record.cost for record in records] == [1, 12]
    assert all(len(record.waited_s) == record.items for record in records)
    assert all(min(record.waited_s) >= 0 and record.seconds >= 0 for record in records)


@pytest.mark.parametrize(
    "limits",
    [{"max_batch_items": 0}, {"max_batch_cost": 0}, {"max_queue_items": 0}, {"max_wait_s": 0}],
)
def test_impossible_limits_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        BatchLimits(**limits)
    assert caught.value.field in limits


def _fill(made: DynamicBatcher[tuple[int, int], str], items: int) -> None:
    for n in range(items):
        made.submit((n, 0), cost=10)


def _refuses(made: DynamicBatcher[tuple[int, int], str]) -> bool:
    try:
        made.submit((77, 0), cost=5).cancel()
    except Draining:
        return True
    return False


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def test_what_waited_much_longer_than_foreseen_is_refused_unless_its_call_goes_on() -> None:
    bench = Bench()
    bench.gate.clear()
    with batcher(bench, workers=1, max_batch_items=1, max_wait_s=0.1) as made:
        running = made.submit((0, 0), cost=1)
        assert bench.entered.acquire(timeout=PATIENCE_S)
        waiting = made.submit((1, 0), cost=1)
        [going_on] = made.submit_many([((2, 0), 1)], admitted=True)
        time.sleep(0.2)
        bench.gate.set()
        assert running.result(PATIENCE_S) == "answer 0"
        error = waiting.exception(PATIENCE_S)
        assert isinstance(error, Overloaded)
        assert (error.limit, error.retry_after_s) == (0.1, 0.1)
        assert going_on.result(PATIENCE_S) == "answer 2"
        assert (made.stats().refused, made.stats().expired) == (1, 0)


def test_a_caller_that_fails_on_its_answer_costs_the_others_nothing() -> None:
    bench = Bench()
    told: list[str | DiscernError] = []

    def fails(_: str | DiscernError) -> None:
        raise RuntimeError("the caller's loop is closed")

    with batcher(bench, workers=1, max_wait_s=0.1) as made:
        hold(bench, made)
        made.try_submit((1, 0), cost=10, deadline=None, told=fails)
        made.try_submit((2, 0), cost=10, deadline=None, told=told.append)
        bench.gate.set()
        _until(lambda: told == ["answer 2"])
        bench.gate.clear()
        running = made.submit((3, 0), cost=10)
        made.try_submit((4, 0), cost=10, deadline=time.monotonic() + 0.05, told=fails)
        time.sleep(0.1)
        bench.gate.set()
        assert running.result(PATIENCE_S) == "answer 3"
        assert made.submit((5, 0), cost=10).result(PATIENCE_S) == "answer 5"
