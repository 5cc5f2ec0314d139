"""Where the rate limits' counts are kept."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discern.web.api.counts import CacheCounts, Counts, FileCounts

STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), min_size=1, max_size=40)


@pytest.fixture(params=["file", "cache"])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counts]:
    if request.param == "cache":
        yield CacheCounts()
        return
    counts = FileCounts(tmp_path / "counts")
    yield counts
    counts.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
def test_every_count_is_that_of_its_name_and_window(
    counts: Counts, steps: list[tuple[str, int]]
) -> None:
    mark = os.urandom(6).hex()  # the examples share the fixture
    window = 100
    expected: dict[tuple[str, int], int] = {}
    for name, later in steps:
        window += later
        expected[name, window] = expected.get((name, window), 0) + 1
        before = expected.get((name, window - 1), 0)
        assert counts.add(mark + name, 60, window) == (expected[name, window], before)


def _count_many(path: Path, times: int) -> None:
    counts = FileCounts(path)
    for _ in range(times):
        counts.add("shared", 60, 7)


def test_processes_that_share_the_file_lose_no_count(tmp_path: Path) -> None:
    path, times, how_many = tmp_path / "counts", 3_000, 3
    spawn = multiprocessing.get_context("spawn")
    running = [spawn.Process(target=_count_many, args=(path, times)) for _ in range(how_many)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    counts = FileCounts(path)
    assert counts.add("shared", 60, 7) == (times * how_many + 1, 0)
    counts.close()


def test_a_process_that_was_forked_counts_in_the_same_file(tmp_path: Path) -> None:
    counts = FileCounts(tmp_path / "counts")
    counts.add("shared", 60, 7)
    forked = multiprocessing.get_context("fork").Process(target=counts.add, args=("shared", 60, 7))
    forked.start()
    forked.join()
    assert forked.exitcode == 0
    assert counts.add("shared", 60, 7) == (3, 0)
    counts.close()


def test_the_longest_silent_are_forgotten_when_more_come_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discern.web.api.counts.SLOTS", 8)
    counts = FileCounts(tmp_path / "counts")
    for number in range(8):
        counts.add(f"old-{number}", 60, number + 1)
    for _ in range(5):
        counts.add("new", 60, 50)
    assert counts.add("new", 60, 50) == (6, 0)
    kept = [counts.add(f"old-{number}", 60, number + 1)[0] == 2 for number in range(7, 0, -1)]
    assert all(kept)
    counts.close()
    assert (tmp_path / "counts").stat().st_size == 8 * 40


def test_counts_outlive_the_process(tmp_path: Path) -> None:
    first = FileCounts(tmp_path / "counts")
    first.add("anna", 60, 7)
    first.close()
    second = FileCounts(tmp_path / "counts")
    assert second.add("anna", 60, 8) == (1, 1)
    second.clear()
    assert second.add("anna", 60, 8) == (1, 0)
    second.close()
