"""Turns the raw outputs of each detector family into boxes in input pixels.

Every decoder takes the outputs for one picture and keeps only the places where some class
reaches ``threshold``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from discern.errors import BundleInvalid

Array: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """``boxes`` (n, 4) as xmin, ymin, xmax, ymax in input pixels; ``scores`` (n, classes)."""

    boxes: Array
    scores: Array


def decode_yolox(outputs: Sequence[Array], size: tuple[int, int], threshold: float) -> Candidates:
    """YOLOX (Ge et al. 2021, arXiv:2107.08430): anchor-free, one output (places, 5 + classes) of
    center, log size, objectness and classes; strides 8, 16 and 32."""
    rows = outputs[0]
    centers, strides = _grid(size, (8, 16, 32), 0.0)
    _expect(rows.shape[0] == len(strides), "YOLOX", rows.shape)
    kept = np.flatnonzero(rows[:, 4] >= threshold)
    rows, centers, strides = rows[kept], centers[kept], strides[kept]
    scores = rows[:, 4:5] * rows[:, 5:]
    middle = rows[:, :2] * strides + centers
    half = np.exp(rows[:, 2:4]) * strides / 2
    return _above(np.concatenate([middle - half, middle + half], axis=1), scores, threshold)


def decode_picodet(outputs: Sequence[Array], size: tuple[int, int], threshold: float) -> Candidates:
    """PicoDet (Yu et al. 2021, arXiv:2111.00902): distances to the four sides as distributions,
    measured from the middle of each cell; per level one output of classes and one of sides."""
    return _decode_distributions(outputs, size, threshold, 0.5)


def decode_nanodet(outputs: Sequence[Array], size: tuple[int, int], threshold: float) -> Candidates:
    """NanoDet-Plus: as PicoDet, but measured from the top left corner of each cell; the outputs
    may also be joined in one (places, classes + 32)."""
    return _decode_distributions(outputs, size, threshold, 0.0)


def decode_nanodet_m(
    outputs: Sequence[Array], size: tuple[int, int], threshold: float
) -> Candidates:
    """NanoDet-m, the generation before Plus: as PicoDet without its coarsest level."""
    return _decode_distributions(outputs, size, threshold, 0.5, (8, 16, 32))


def decode_fastestdet(
    outputs: Sequence[Array], size: tuple[int, int], threshold: float
) -> Candidates:
    """FastestDet: one map (5 + classes, rows, columns) of objectness, offset of the center from
    its cell (tanh), size relative to the picture (sigmoid) and classes (softmax, in the graph)."""
    channels, rows, columns = outputs[0].shape
    flat = outputs[0].reshape(channels, -1)
    kept = np.flatnonzero(flat[0] >= threshold)
    cells = flat[:, kept]
    scores = cells[0] * cells[5:]
    sure = np.flatnonzero(scores.max(axis=0) >= threshold)
    cells, scores = cells[:, sure], scores[:, sure]
    # Across and down at once, and the arrays small before: a call costs more than its numbers.
    corners, cell, half = _cells((rows, columns), size)
    bends = np.tanh(cells[1:5] * _BENDS)
    center = corners[:, kept[sure]] + bends[:2] * cell
    reach = (1 + bends[2:]) * half
    boxes = np.concatenate([center - reach, center + reach])
    return Candidates(boxes.T, scores.T)


_BENDS = np.array([[1.0], [1.0], [0.5], [0.5]], dtype=np.float32)
"""A sigmoid is half of one and the tanh of half its argument, which does not overflow."""


@lru_cache(maxsize=32)
def _cells(grid: tuple[int, int], size: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Corners of a grid's cells (2, cells), one cell (2, 1) and a quarter of the input (2, 1), all
    as x and y in input pixels."""
    (rows, columns), (height, width) = grid, size
    y, x = np.mgrid[:rows, :columns]
    cell = np.array([[width / columns], [height / rows]], dtype=np.float32)
    quarter = np.array([[width / 4], [height / 4]], dtype=np.float32)
    return np.stack([x.ravel(), y.ravel()]).astype(np.float32) * cell, cell, quarter


def _decode_distributions(
    outputs: Sequence[Array],
    size: tuple[int, int],
    threshold: float,
    origin: float,
    levels: tuple[int, ...] = (8, 16, 32, 64),
) -> Candidates:
    scores, sides = _split_levels(outputs)
    centers, strides = _grid(size, levels, origin)
    _expect(scores.shape[0] == len(strides), "PicoDet or NanoDet", scores.shape)
    kept = np.flatnonzero(scores.max(axis=1) >= threshold)
    scores, centers, strides = scores[kept], centers[kept], strides[kept]
    bins = sides[kept].reshape(len(kept), 4, SIDE_CHANNELS // 4)
    bins = np.exp(bins - bins.max(axis=2, keepdims=True))
    weights = np.arange(bins.shape[2], dtype=np.float32)
    distances = (bins @ weights) / bins.sum(axis=2) * strides
    boxes = np.concatenate([centers - distances[:, :2], centers + distances[:, 2:]], axis=1)
    return Candidates(boxes, scores)


SIDE_CHANNELS = 32
"""Four sides of eight bins each (reg_max 7), in every published model of the two families."""


def _split_levels(outputs: Sequence[Array]) -> tuple[Array, Array]:
    """Class scores (places, classes) and side bins (places, 32), finest level first."""
    if len(outputs) == 1:
        return outputs[0][:, :-SIDE_CHANNELS], outputs[0][:, -SIDE_CHANNELS:]
    sides = [output for output in outputs if output.shape[1] == SIDE_CHANNELS]
    scores = [output for output in outputs if output.shape[1] != SIDE_CHANNELS]
    _expect(len(sides) == len(scores), "PicoDet or NanoDet", outputs[0].shape)
    return np.concatenate(_finest_first(scores)), np.concatenate(_finest_first(sides))


def _finest_first(levels: list[Array]) -> list[Array]:
    return sorted(levels, key=lambda level: -len(level))


def places(size: tuple[int, int], strides: Sequence[int]) -> int:
    """How many places an input of (height, width) has on the grids of all ``strides``."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


@lru_cache(maxsize=32)
def _grid(size: tuple[int, int], strides: tuple[int, ...], origin: float) -> tuple[Array, Array]:
    """Reference points (places, 2) in input pixels and strides (places, 1), finest first."""
    points, steps = [], []
    for stride in strides:
        rows, columns = -(-size[0] // stride), -(-size[1] // stride)
        y, x = np.mgrid[:rows, :columns]
        points.append((np.stack([x, y], axis=2).reshape(-1, 2) + origin) * stride)
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(points).astype(np.float32), np.concatenate(steps).astype(np.float32)


def _above(boxes: Array, scores: Array, threshold: float) -> Candidates:
    kept = scores.max(axis=1, initial=0) >= threshold
    return Candidates(boxes[kept], scores[kept])


def _expect(condition: bool, family: str, shape: tuple[int, ...]) -> None:
    if not condition:
        raise BundleInvalid(
            f"An output of shape {shape} does not fit a {family} model.", field="family"
        )
