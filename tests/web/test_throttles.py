"""The count behind the rate limits."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from discern.web.api.rates import Rate
from discern.web.api.throttles import count


@given(
    limit=st.integers(1, 20),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60),
)
def test_no_window_lets_more_than_twice_its_limit_pass_and_a_steady_one_never_more(
    limit: int, gaps: list[float]
) -> None:
    rate = Rate(limit, 60)
    name = uuid.uuid4().hex
    now = 1_000_000.0
    passed: list[float] = []
    for gap in gaps:
        now += gap
        verdict = count(name, rate, now=now)
        assert 0 <= verdict.remaining <= limit
        assert 1 <= verdict.reset_s <= 60
        if verdict.allowed:
            passed.append(now)
    fixed = [int(moment // 60) for moment in passed]
    assert all(fixed.count(window) <= limit for window in set(fixed))
    for moment in passed:
        assert sum(moment - 60 < other <= moment for other in passed) <= 2 * limit


def test_a_burst_at_the_seam_of_two_windows_does_not_double_the_rate() -> None:
    rate = Rate(100, 60)
    late = [count("seam", rate, now=1_199_999.0).allowed for _ in range(100)]
    early = [count("seam", rate, now=1_200_001.0).allowed for _ in range(100)]
    assert all(late)
    assert sum(early) <= 2


def test_after_a_quiet_period_the_whole_rate_is_there_again() -> None:
    rate = Rate(2, 60)
    assert [count("quiet", rate, now=600.0).allowed for _ in range(3)] == [True, True, False]
    assert count("quiet", rate, now=721.0).allowed


def test_two_names_are_counted_apart() -> None:
    rate = Rate(1, 60)
    assert count("one", rate, now=600.0).allowed
    assert count("two", rate, now=600.0).allowed
    assert not count("one", rate, now=600.0).allowed
