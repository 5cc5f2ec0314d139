from __future__ import annotations

import threading
import time
from concurrent.futures import wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import (
    ConfigurationInvalid,
    DeadlineExceeded,
    DiscernError,
    Draining,
    InferenceFailed,
    Overloaded,
)
from discern.inference.batching import DynamicBatcher
from discern.inference.contract import BatchLimits, BatchRecord
from discern.inference.tuning import bucket_of
from discern.inference.waiting import PADDING_ALLOWED
from tests.core.batchers import PATIENCE_S, Bench, batcher, hold, until


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
            until(lambda: _refuses(made))
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


def test_what_padding_wastes_counts_against_larger_batches() -> None:
    """A batch of these is 8 % faster for each token it computes, 10 % of which are padding."""
    spent = 0.0

    def run(_worker: int, items: list[int]) -> list[int]:
        nonlocal spent
        padded = max(items) * len(items)
        spent += padded * 1e-5 * (0.92 if len(items) > 1 else 1.0)
        return items

    made: DynamicBatcher[int, int] = DynamicBatcher(run, workers=1, clock=lambda: spent)
    lengths = [64, 79] * 512
    assert bucket_of(64) == bucket_of(79)
    for _ in range(4):
        wait(made.submit_many((length, length) for length in lengths), PATIENCE_S)
    try:
        assert made.stats().batch_limits == {64: 1}
    finally:
        made.close()
