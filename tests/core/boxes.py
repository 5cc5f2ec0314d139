"""Boxes compared one pair at a time, to check what compares them all at once."""

from __future__ import annotations

from collections.abc import Sequence


def one_overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes, as the textbook has it."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)
