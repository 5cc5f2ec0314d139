"""What bounds the work of a server that follows a library."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given
from hypothesis import strategies as st

from discern.engine.recommender import FOLLOW_EVERY_S, pause_after
from discern.recommendations import Content, Interaction
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.counters import Counters
from discern.recommendations.following import COLUMNS_A_STEP, SECONDS_A_STEP, Following
from discern.recommendations.library import Library
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import fit
from discern.recommendations.settings import Settings

SIZE = 3 * COLUMNS_A_STEP
CHOSEN = Settings(neighbours=5, ridge=1.0, content_weight=0.0)


def _contents() -> list[Content]:
    return [Content(f"c{i}", text=f"word{i % 9}") for i in range(SIZE)]


def _likes(person: str, count: int, *, at: float) -> list[Interaction]:
    return [Interaction(person, f"c{i}", liked=True, at=at + i) for i in range(count)]


@pytest.fixture
def following(tmp_path: Path) -> Following:
    """A follower with all its columns to solve again."""
    library = Library(tmp_path)
    library.put_contents(_contents())
    library.events.append([event for k in range(4) for event in _likes(f"p{k}", 40, at=k)])
    number = library.events.last_number()
    fitted = fit(_contents(), library.interactions(), settings=CHOSEN, last_event=number)
    ranker = Ranker(fitted.model, Catalogue(fitted.model.contents))
    found = Following(ranker, fitted, library)
    library.events.append(_likes("late", SIZE, at=1e6))
    return found


def test_a_step_solves_its_bound_of_columns_and_leaves_the_rest_waiting(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock stands still: whatever the machine's speed, only the count can end a step.
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)
    assert [following.step() for _ in range(3)] == [COLUMNS_A_STEP] * 3
    assert following.waiting == 0


def test_a_step_begins_no_column_after_its_time(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = SECONDS_A_STEP / 4.5
    now = [0.0]
    solve = Counters.solve

    def slowly(self: Counters, column: int) -> object:
        now[0] += slow
        return solve(self, column)

    monkeypatch.setattr(Counters, "solve", slowly)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    assert following.step() == 5  # the fifth begins within the time and ends just after it
    assert following.waiting == SIZE - 5
    assert now[0] < SECONDS_A_STEP + slow


@given(st.floats(0.0, 10.0))
def test_the_pause_follows_the_work_while_columns_wait(seconds: float) -> None:
    assert pause_after(seconds, waiting=1) == min(seconds, FOLLOW_EVERY_S)
    assert pause_after(seconds, waiting=0) == FOLLOW_EVERY_S


def test_a_step_that_takes_its_whole_time_is_followed_by_a_rest_as_long() -> None:
    assert pause_after(SECONDS_A_STEP, waiting=500) == SECONDS_A_STEP
    assert FOLLOW_EVERY_S <= 0.25, "new contents are listed within a quarter of a second"
