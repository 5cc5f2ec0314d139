"""Who met what, kept up to date event by event, and the column of weights it gives.

The counters are the weighted interactions themselves, by person and by content; a column's
co-occurrences are summed from them when it is solved again, so that taking a person out leaves
nothing of them behind.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.fit import popularity_scale, ridges
from discern.recommendations.gram import Floats
from discern.recommendations.matrices import Ratings
from discern.recommendations.settings import Settings
from discern.recommendations.solve import solve_one

Column = tuple[NDArray[np.int64], Floats, Floats]


class Counters:
    """Interactions of known contents (columns) by people.

    Args:
        size: the number of contents.
        settings: those of the fit, so that a column solved again is what a new fit would give.
        mean_activity: the mean activity at the fit; it scales the activity weights.
        features: the contents' word vectors, CSR of shape (contents, words), or None.
        content_scale: what the dot product of two of them counts in the Gram matrix.
    """

    def __init__(
        self,
        size: int,
        settings: Settings,
        *,
        mean_activity: float = 1.0,
        features: sp.csr_matrix | None = None,
        content_scale: float = 0.0,
    ) -> None:
        self._settings = settings
        self._mean = mean_activity
        self._people: dict[str, dict[int, float]] = {}
        self._met_by: dict[int, dict[str, float]] = {}
        self._features = features if content_scale > 0 else None
        self._content_scale = content_scale
        self._content_diagonal = np.zeros(size)
        if self._features is not None:
            squares = self._features.multiply(self._features).sum(axis=1)
            self._content_diagonal = content_scale * np.asarray(squares, dtype=float).ravel()
        self._diagonal = np.zeros(size)
        self.popularity = np.zeros(size, dtype=np.float32)

    @classmethod
    def of(
        cls,
        ratings: Ratings,
        settings: Settings,
        *,
        features: sp.csr_matrix | None = None,
    ) -> Counters:
        """Counters that hold what a model was fitted on."""
        matrix = ratings.matrix
        activity = np.asarray(matrix.sum(axis=1)).ravel()
        mean = float(activity[activity > 0].mean()) if (activity > 0).any() else 1.0
        weights = np.where(activity > 0, np.maximum(activity, 1e-9) / mean, 1.0)
        rows = sp.diags(weights**-settings.activity_exponent) @ matrix.multiply(matrix)
        typical = float(rows.sum()) / max(matrix.shape[1], 1)
        counters = cls(
            matrix.shape[1],
            settings,
            mean_activity=mean,
            features=features,
            content_scale=settings.content_weight * typical,
        )
        for row, person in enumerate(ratings.people):
            span = slice(matrix.indptr[row], matrix.indptr[row + 1])
            counters._set_person(
                person,
                dict(zip(matrix.indices[span].tolist(), matrix.data[span].tolist(), strict=True)),
            )
        return counters

    def put(self, person: str, column: int, strength: float) -> bool:
        """Sets a person's interaction with a content; a strength of 0 or less takes it out.
        Returns whether anything changed."""
        met = dict(self._people.get(person, {}))
        if strength > 0:
            if met.get(column) == strength:
                return False
            met[column] = strength
        elif met.pop(column, None) is None:
            return False
        self._set_person(person, met)
        return True

    def strength(self, person: str, column: int) -> float:
        """The strength that is counted, 0 for none."""
        return self._people.get(person, {}).get(column, 0.0)

    def remove(self, person: str) -> list[int]:
        """Takes a person out; returns the contents whose columns that changes."""
        columns = sorted(self._people.get(person, {}))
        self._set_person(person, {})
        return columns

    def people(self) -> Iterable[str]:
        """The ids of everyone counted."""
        return tuple(self._people)

    def solve(self, column: int) -> Column:
        """Neighbours of a column with their long and short weights, from what is counted now."""
        neighbours = self._neighbours(column)
        if not len(neighbours):
            return neighbours, np.empty(0, np.float32), np.empty(0, np.float32)
        block = self._block(np.append(neighbours, column))
        long, short = (solve_one(block, ridge) for ridge in ridges(self._settings))
        scale = popularity_scale(self.popularity, self._settings.popularity_exponent)[column]
        return neighbours, long * scale, short * scale

    def _set_person(self, person: str, met: dict[int, float]) -> None:
        self._count(person, self._people.get(person, {}), -1)
        if met:
            self._people[person] = met
        else:
            self._people.pop(person, None)
        self._count(person, met, 1)

    def _count(self, person: str, met: dict[int, float], sign: int) -> None:
        weight = self._weight(met)
        for column, strength in met.items():
            self._diagonal[column] += sign * weight * strength**2
            self.popularity[column] += sign
            if sign > 0:
                self._met_by.setdefault(column, {})[person] = strength
            else:
                self._met_by[column].pop(person, None)

    def _weight(self, met: dict[int, float]) -> float:
        activity = sum(met.values())
        if activity <= 0:
            return 0.0
        return float((activity / self._mean) ** -self._settings.activity_exponent)

    def _neighbours(self, column: int) -> NDArray[np.int64]:
        near = self._column(column)
        near[column] = 0.0
        diagonal = np.maximum(self._diagonal, 0.0) + self._content_diagonal
        found = np.flatnonzero((near > 0) & (diagonal > 0))
        measure = near[found] / diagonal[found] ** self._settings.neighbour_exponent
        order = np.lexsort((found, -measure))[: self._settings.neighbours]
        return np.sort(found[order]).astype(np.int64)

    def _column(self, column: int) -> NDArray[np.float64]:
        near = np.zeros(len(self._diagonal))
        for person, strength in sorted(self._met_by.get(column, {}).items()):
            met = self._people[person]
            columns = np.fromiter(met, dtype=np.int64, count=len(met))
            strengths = np.fromiter(met.values(), dtype=np.float64, count=len(met))
            near[columns] += self._weight(met) * strength * strengths
        if self._features is not None:
            alike = (self._features @ self._features[column].T).todense()
            near += self._content_scale * np.asarray(alike, dtype=float).ravel()
        return near

    def _block(self, members: NDArray[np.int64]) -> Floats:
        rows: dict[str, int] = {}
        data, row_of, place_of = [], [], []
        for place, column in enumerate(members.tolist()):
            for person, strength in sorted(self._met_by.get(column, {}).items()):
                data.append(strength)
                row_of.append(rows.setdefault(person, len(rows)))
                place_of.append(place)
        weights = np.array([self._weight(self._people[person]) for person in rows])
        part = sp.csr_matrix((data, (row_of, place_of)), shape=(len(rows), len(members)))
        block = np.asarray((part.T @ sp.diags(weights) @ part).todense(), dtype=np.float64)
        if self._features is not None:
            words = self._features[members]
            block = block + self._content_scale * np.asarray((words @ words.T).todense())
        return block.astype(np.float32)
