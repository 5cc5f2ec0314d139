"""Two runtimes are timed side by side only when they find the same."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.upload_sites import difference


def found(label: str = "cat", score: float = 0.8, left: float = 10.0) -> dict[str, Any]:
    box = {"xmin": left, "ymin": 20.0, "xmax": 60.0, "ymax": 70.0}
    return {"label": label, "score": score, "box": box}


def test_objects_that_differ_by_rounding_are_the_same() -> None:
    assert difference([found(), found("dog")], [found("dog", 0.801), found(left=10.2)]) == ""


def test_an_object_at_the_threshold_may_be_found_by_one_alone() -> None:
    assert difference([found(), found("dog", 0.305)], [found()]) == ""


@pytest.mark.parametrize(
    "other", [[], [found("dog")], [found(score=0.7)], [found(left=13.0)], [found(), found("dog")]]
)
def test_another_object_score_or_box_is_a_difference_from_either_side(
    other: list[dict[str, Any]],
) -> None:
    assert "by one of them alone" in difference([found()], other)
    assert "by one of them alone" in difference(other, [found()])
