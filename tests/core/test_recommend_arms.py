"""Experiments: who sees which arm, and how sure its figures are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discern.recommendations.arms import Arm, assign, rate


def test_arms_are_stable_independent_and_near_their_shares() -> None:
    arms = [Arm("a", 3), Arm("b", 1)]
    people = [f"person {i}" for i in range(4000)]
    first = [assign(person, "one", arms).name for person in people]
    assert first == [assign(person, "one", arms).name for person in people]
    assert 0.72 < first.count("a") / len(first) < 0.78
    other = [assign(person, "two", arms).name for person in people]
    both = sum(x == y == "b" for x, y in zip(first, other, strict=True)) / len(people)
    assert 0.04 < both < 0.085


@given(impressions=st.integers(0, 5000), data=st.data())
def test_a_rate_lies_inside_its_interval(impressions: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, impressions))
    found = rate(hits, impressions)
    assert 0 <= found.low <= found.value <= found.high <= 1
