"""Keeps the best of boxes that show the same object: greedy suppression within each class."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from discern.vision.detectors.decode import Array, Candidates

FEW = 48
"""Up to so many boxes are compared one by one, until the first that overlaps too much."""

Indices: TypeAlias = npt.NDArray[np.intp]

MAX_CANDIDATES = 1_000
"""The best candidates compared with each other, as in the families' own evaluations."""


def suppress(
    found: Candidates, *, threshold: float, max_overlap: float, every_class: bool, limit: int
) -> tuple[Array, Array, Indices]:
    """Boxes (n, 4), scores (n,) and classes (n,), best first, at most ``limit``.

    A box is dropped when its intersection over union with a better one of its class is above
    ``max_overlap``. With ``every_class`` a place may answer for each class that reaches
    ``threshold``, otherwise for its best class only.
    """
    places, classes, scores = _ranked(found.scores, threshold, every_class)
    boxes = found.boxes[places]
    if len(boxes) <= FEW:
        survivors = _one_by_one(boxes.tolist(), classes.tolist(), max_overlap)[:limit]
        return boxes[survivors], scores[survivors], classes[survivors]
    same = classes[:, None] == classes[None, :]
    rivals = np.triu(same & (overlaps(boxes) > max_overlap), k=1)
    alive = np.ones(len(boxes), dtype=bool)
    for index in np.flatnonzero(rivals.any(axis=1)):
        if alive[index]:
            alive &= ~rivals[index]
    kept = np.flatnonzero(alive)[:limit]
    return boxes[kept], scores[kept], classes[kept]


def _ranked(scores: Array, threshold: float, every_class: bool) -> tuple[Indices, Indices, Array]:
    if every_class:
        places, classes = np.nonzero(scores >= threshold)
    else:
        classes = scores.argmax(axis=1) if len(scores) else np.zeros(0, dtype=np.intp)
        places = np.arange(len(scores))
    values = scores[places, classes]
    order = np.argsort(-values, kind="stable")[:MAX_CANDIDATES]
    return places[order], classes[order], values[order]


def _one_by_one(boxes: list[list[float]], classes: list[int], max_overlap: float) -> list[int]:
    """The places that stay, of few boxes: for these, arrays cost more than what they save."""
    stay: list[int] = []
    stayed: dict[int, list[tuple[float, float, float, float, float]]] = {}
    for place, (left, top, right, bottom) in enumerate(boxes):
        area = max(right - left, 0.0) * max(bottom - top, 0.0)
        better = stayed.setdefault(classes[place], [])
        for left_2, top_2, right_2, bottom_2, area_2 in better:
            across = min(right_2, right) - max(left_2, left)
            if across <= 0:
                continue
            down = min(bottom_2, bottom) - max(top_2, top)
            if down > 0 and across * down > max_overlap * (area + area_2 - across * down):
                break
        else:
            better.append((left, top, right, bottom, area))
            stay.append(place)
    return stay


def overlaps(boxes: Array) -> Array:
    """Intersection over union of every pair of ``boxes``, (n, n); 0 for empty boxes."""
    # Coordinate by coordinate: arrays of pairs of numbers are far slower than two of numbers.
    left, top, right, bottom = (column.copy() for column in boxes.T)
    across = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    down = np.minimum.outer(bottom, bottom) - np.maximum.outer(top, top)
    shared = np.maximum(across, 0) * np.maximum(down, 0)
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    union = areas[:, None] + areas[None, :] - shared
    result: Array = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return result
