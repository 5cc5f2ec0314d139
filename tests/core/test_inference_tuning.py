from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discern.inference.tuning import EDGES, EXPLORE_EVERY, BatchTuner, bucket_of


def settle(seconds: Callable[[int], float], *, bucket: int = 5, rounds: int = 4000) -> BatchTuner:
    """Lets a tuner choose while batches of its choice take ``seconds(items)`` for each unit."""
    tuner = BatchTuner(32)
    for _ in range(rounds):
        items = tuner.limit(bucket)
        tuner.learn(bucket, items, items * 30, seconds(items) * items * 30)
    return tuner


def test_batching_stops_where_it_does_not_help() -> None:
    assert settle(lambda items: 1.0).best(5) == 1


def test_batching_stops_where_it_hurts() -> None:
    assert settle(lambda items: 1.0 + items / 10).best(5) == 1


def test_batches_grow_where_every_doubling_helps() -> None:
    assert settle(lambda items: 1.0 / items).best(5) == 32


def test_the_smallest_size_that_is_nearly_as_fast_is_used() -> None:
    assert settle(lambda items: max(1.0 / items, 1 / 4)).best(5) == 7


def test_each_length_is_learned_apart() -> None:
    tuner = settle(lambda items: 1.0)
    assert tuner.best(5) == 1
    assert tuner.best(8) == 32
    assert tuner.learned() == {EDGES[5]: 1}


def test_a_change_of_speed_is_noticed() -> None:
    tuner = settle(lambda items: 1.0)
    for _ in range(60 * EXPLORE_EVERY):
        items = tuner.limit(5)
        tuner.learn(5, items, items * 30, 30.0)  # now a batch takes as long as one item
    assert tuner.best(5) == 32


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
