"""Sums of many terms by target, without a sort and without a vector made for each request."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.gram import Floats

Columns = NDArray[np.int64]


class TermSums(threading.local):
    """Adds terms up by target, below ``size``.

    Each thread keeps two vectors of that length for all its requests (8 bytes a content in all).
    A request touches and cleans only the places that its own terms name, so its work grows with
    the terms alone.
    """

    def __init__(self, size: int) -> None:
        self._sums: Floats = np.zeros(size, dtype=np.float32)
        self._last: NDArray[np.int32] = np.zeros(size, dtype=np.int32)

    def __call__(self, targets: NDArray[np.integer[Any]], values: Floats) -> tuple[Columns, Floats]:
        """The distinct targets, in the order of their last terms, and the sum of each one's
        values, added in the order given."""
        places = targets.astype(np.int64)
        numbers = np.arange(len(places), dtype=np.int32)
        try:
            np.add.at(self._sums, targets, values)
            self._last[places] = numbers
            distinct = places[self._last[places] == numbers]
            return distinct, self._sums[distinct]
        finally:
            self._sums[places] = 0.0

    def largest(
        self, wanted: Columns, targets: NDArray[np.integer[Any]], values: Floats
    ) -> list[int | None]:
        """For each wanted target the place of its largest term, the first of equals; None for one
        without terms."""
        inside = wanted[wanted < len(self._last)]
        try:
            self._last[inside] = -1
            found = np.flatnonzero(self._last[targets] < 0)
        finally:
            self._last[inside] = 0
        best: dict[int, int] = {}
        for place, target in zip(found.tolist(), targets[found].tolist(), strict=True):
            if target not in best or values[place] > values[best[target]]:
                best[target] = place
        return [best.get(column) for column in wanted.tolist()]
