from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.inference.tuning import EDGES, LONGEST_TRY_S, TRY_SHARE, BatchTuner, bucket_of

UNIT_S = 1e-5


def settle(seconds: Callable[[int], float], *, bucket: int = 5, rounds: int = 4000) -> BatchTuner:
    """Lets a tuner choose while batches of its choice take ``seconds(items)``, in units of a
    hundredth of a millisecond, for each unit of cost."""
    tuner = BatchTuner(32)
    for _ in range(rounds):
        items = tuner.limit(bucket)
        tuner.learn(bucket, items, items * 24, seconds(items) * UNIT_S * items * 24)
    return tuner


def test_batching_stops_where_it_does_not_help() -> None:
    assert settle(lambda items: 1.0).best(5) == 1


def test_batching_stops_where_it_hurts() -> None:
    assert settle(lambda items: 1.0 + items / 10).best(5) == 1


def test_batches_grow_where_every_doubling_helps() -> None:
    assert settle(lambda items: 1.0 / items).best(5) == 32


def test_the_smallest_size_that_is_nearly_as_fast_is_used() -> None:
    assert settle(lambda items: max(1.0 / items, 1 / 4)).best(5) == 4


def test_under_load_the_fastest_size_is_used_where_it_is_soon_done() -> None:
    def nearly_level(items: int) -> float:
        return {1: 2.0, 2: 1.5, 4: 1.2, 8: 1.03, 16: 1.02, 32: 1.0}[items]

    tuner = settle(nearly_level)
    assert tuner.best(5) == 8
    busy = [tuner.limit(5, waiting=64) for _ in range(20)]
    assert busy.count(32) >= 19
    assert tuner.limit(5, waiting=63) in (4, 8, 16)
    slow = settle(lambda items: 10 * nearly_level(items))
    assert 32 not in {slow.limit(5, waiting=64) for _ in range(20)}


def test_each_length_is_learned_apart() -> None:
    tuner = settle(lambda items: 1.0)
    assert tuner.best(5) == 1
    assert tuner.best(8) > 1
    assert tuner.learned() == {EDGES[5]: 1}


def test_a_change_of_speed_is_noticed() -> None:
    tuner = settle(lambda items: 1.0)
    for _ in range(4000):
        items = tuner.limit(5)
        tuner.learn(5, items, items * 24, UNIT_S * 24)  # now a batch takes as long as one item
    assert tuner.best(5) == 32


def test_trying_costs_a_small_share_of_the_time_even_where_batches_are_slow() -> None:
    tuner = BatchTuner(32)
    bucket = bucket_of(150)
    longest = spent = tried = 0.0
    for _ in range(3000):
        items = tuner.limit(bucket)
        seconds = 0.02 * items * (1.0 if items == 1 else 1.5)
        tuner.learn(bucket, items, items * 150, seconds)
        spent += seconds
        if items > 1:
            tried += seconds
            longest = max(longest, seconds)
    assert 0 < tried <= 2 * TRY_SHARE * spent
    assert longest <= 2 * LONGEST_TRY_S
    assert tuner.best(bucket) == 1


def test_a_size_of_one_is_a_possible_limit_of_all() -> None:
    tuner = BatchTuner(1)
    for _ in range(100):
        assert tuner.limit(0) == 1
        tuner.learn(0, 1, 5, 0.001)


@given(
    st.lists(
        st.tuples(st.integers(1, 32), st.floats(1e-6, 10.0)),
        max_size=200,
    )
)
def test_the_limit_is_always_a_possible_batch(samples: list[tuple[int, float]]) -> None:
    tuner = BatchTuner(32)
    for items, seconds in samples:
        tuner.learn(3, items, items * 17, seconds)
        assert 1 <= tuner.limit(3) <= 32


@pytest.mark.parametrize(("cost", "edge"), [(1, 0), (8, 8), (20, 20), (23, 20), (9999, 512)])
def test_buckets_begin_at_their_edges(cost: int, edge: int) -> None:
    assert EDGES[bucket_of(cost)] == edge
