"""What a fit measures and tells of itself: coverage, Gini, memory, contents solved, time left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from discern.recommendations import Content, Interaction, Recommender
from discern.recommendations.metrics import coverage, gini
from discern.recommendations.peak_memory import peak_memory_mb

CONTENTS = [Content(f"c{i}", text=f"word{i % 7} more{i % 5}") for i in range(30)]


def _events(people: int) -> list[Interaction]:
    return [
        Interaction(f"p{person}", f"c{(5 * person + k * k) % 30}", liked=True, at=float(k))
        for person in range(people)
        for k in range(6)
    ]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([3, 3, 3, 3], 0.0),
        ([0, 0, 0, 8], 0.75),  # (n - 1) / n: one of n has all
        ([1, 3], 0.25),
        ([3, 1], 0.25),
        ([0, 0], 0.0),
        ([], 0.0),
    ],
)
def test_gini_of_known_counts(counts: list[float], expected: float) -> None:
    assert gini(counts) == pytest.approx(expected)


def test_coverage_is_the_share_in_any_list_and_empty_places_are_no_content() -> None:
    lists = np.array([[0, 1, -1], [1, 3, -1]])
    assert coverage(lists, 4) == 0.75
    assert coverage(np.full((2, 3), -1), 4) == 0.0
    assert coverage(np.empty((0, 3), dtype=np.int64), 0) == 0.0


def test_a_saved_fit_keeps_quality_spread_time_and_memory(tmp_path: Path) -> None:
    made = Recommender.fit(CONTENTS, _events(60), tune_seconds=0)
    five = {"ndcg@10", "coverage@10", "gini@10", "fit_seconds", "peak_memory_mb"}
    assert made.report.keys() >= five
    again = Recommender.load(made.save(tmp_path / "kept"))
    assert {name: again.report[name] for name in five} == {n: made.report[n] for n in five}


@pytest.mark.parametrize(("people", "passes"), [(60, 2), (20, 1)])
def test_what_is_solved_grows_to_all_contents_of_each_pass(people: int, passes: int) -> None:
    told: list[tuple[int, int]] = []
    Recommender.fit(
        CONTENTS,
        _events(people),
        tune_seconds=0,
        progress=lambda done, total: told.append((done, total)),
    )
    total = passes * len(CONTENTS)
    assert told == sorted(told)
    assert {of for _, of in told} == {total}
    assert told[-1] == (total, total)


def test_the_search_says_how_much_time_is_left() -> None:
    lines: list[str] = []
    Recommender.fit(CONTENTS, _events(60), tune_seconds=1, report=lines.append)
    assert lines[0] == "searching for settings, 1 s at most"
    tried = [line for line in lines if "ridge " in line]
    assert tried
    assert all(line.endswith((", 1 s left", ", 0 s left")) for line in tried), tried


def test_the_peak_is_in_megabytes_and_keeps_what_was_let_go() -> None:
    script = (
        "from discern.recommendations.peak_memory import peak_memory_mb as peak\n"
        "before = peak(); held = b'x' * 200_000_000; del held; print(peak() - before)"
    )
    # The parent is large: a program that it starts must not begin at its peak.
    ballast = b"x" * 300_000_000
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    del ballast
    assert 150 < float(found.stdout) < 260
    own = peak_memory_mb()
    assert own is not None
    assert own > 300
