"""Who met what, kept up to date event by event, and the column of weights it gives.

The counters are the weighted interactions themselves, by person and by content; a column's
co-occurrences are summed from them when it is solved again, so that taking a person out leaves
nothing of them behind.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.fit import popularity_scale, ridges
from discern.recommendations.gram import Floats
from discern.recommendations.matrices import Ratings
from discern.recommendations.settings import Settings
from discern.recommendations.solve import solve_one

UNIT: Final = 2.0**30
"""The diagonal is counted in whole parts of this size, so that taking out leaves no rounding
behind and the order of events decides nothing."""

Column = tuple[NDArray[np.int64], Floats, Floats]
Pairs = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Scales:
    """What a fit measured its weights by, so that servers that begin later, when some of it was
    erased, measure alike: people's mean activity and the Gram matrix's mean diagonal."""

    mean_activity: float
    mean_diagonal: float

    @classmethod
    def of(cls, ratings: Ratings, settings: Settings) -> Scales:
        """Those of a fit on ``ratings``."""
        matrix = ratings.matrix
        activity = np.asarray(matrix.sum(axis=1)).ravel()
        mean = float(activity[activity > 0].mean()) if (activity > 0).any() else 1.0
        weights = np.where(activity > 0, np.maximum(activity, 1e-9) / mean, 1.0)
        rows = sp.diags(weights**-settings.activity_exponent) @ matrix.multiply(matrix)
        return cls(mean, float(rows.sum()) / max(matrix.shape[1], 1))


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
        self._roll = _Roll()
        self._met_by_cache: dict[int, Pairs] = {}
        self._row_cache: dict[int, Pairs] = {}
        self._diagonal = np.zeros(size, dtype=np.int64)
        self.popularity = np.zeros(size, dtype=np.float32)

    @classmethod
    def of(
        cls,
        ratings: Ratings,
        settings: Settings,
        *,
        features: sp.csr_matrix | None = None,
        scales: Scales | None = None,
    ) -> Counters:
        """Counters that hold what a model was fitted on; ``scales`` are the fit's, those of
        ``ratings`` if None."""
        matrix = ratings.matrix
        scales = scales or Scales.of(ratings, settings)
        counters = cls(
            matrix.shape[1],
            settings,
            mean_activity=scales.mean_activity,
            features=features,
            content_scale=settings.content_weight * scales.mean_diagonal,
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
        strength = float(np.float32(strength))  # as a fit has it
        if strength > 0:
            if met.get(column) == strength:
                return False
            met[column] = strength
        elif met.pop(column, None) is None:
            return False
        self._set_person(person, met)
        return True

    def of_person(self, person: str) -> dict[int, float]:
        """What is counted of somebody: the strength by column."""
        return dict(self._people.get(person, {}))

    def remove(self, person: str) -> list[int]:
        """Takes a person out; returns the contents whose columns that changes."""
        columns = sorted(self._people.get(person, {}))
        self._set_person(person, {})
        self._roll.forget(person)
        return columns

    def people(self) -> Iterable[str]:
        """The ids of everyone counted."""
        return tuple(self._people)

    def who_met(self, columns: Iterable[int]) -> set[str]:
        """The ids of everyone counted who met one of those contents."""
        return {person for column in columns for person in self._met_by.get(column, {})}

    def solve(self, column: int) -> Column:
        """Neighbours of a column with their long and short weights, from what is counted now."""
        neighbours = self._neighbours(column)
        if not len(neighbours):
            return neighbours, np.empty(0, np.float32), np.empty(0, np.float32)
        block = self._block(np.append(neighbours, column))
        long, short = (solve_one(block, ridge) for ridge in ridges(self._settings))
        scale = popularity_scale(self.popularity, self._settings.popularity_exponent)[column]
        kept = (long != 0) | (short != 0)
        return neighbours[kept], long[kept] * scale, short[kept] * scale

    def _set_person(self, person: str, met: dict[int, float]) -> None:
        before = self._people.get(person, {})
        for column in before.keys() | met.keys():
            if before.get(column) != met.get(column):
                self._met_by_cache.pop(column, None)
        self._count(person, before, -1)
        if met:
            self._people[person] = met
        else:
            self._people.pop(person, None)
        number = self._roll.number(person)
        self._roll.weights[number] = self._weight(met)
        self._row_cache.pop(number, None)
        self._count(person, met, 1)

    def _count(self, person: str, met: dict[int, float], sign: int) -> None:
        weight = self._weight(met)
        for column, strength in met.items():
            self._diagonal[column] += sign * round(weight * strength**2 * UNIT)
            self.popularity[column] += sign
            if sign > 0:
                self._met_by.setdefault(column, {})[person] = strength
            else:
                self._met_by[column].pop(person, None)

    def _weight(self, met: dict[int, float]) -> float:
        activity = math.fsum(met.values())
        if activity <= 0:
            return 0.0
        return float((activity / self._mean) ** -self._settings.activity_exponent)

    def _neighbours(self, column: int) -> NDArray[np.int64]:
        near = self._column(column)
        near[column] = 0.0
        diagonal = self._diagonal / UNIT + self._content_diagonal
        found = np.flatnonzero((near > 0) & (diagonal > 0))
        measure = near[found] / diagonal[found] ** self._settings.neighbour_exponent
        count = self._settings.neighbours
        if len(found) > count:
            # Ties at the edge all stay: the lower column must win whatever the partition did.
            top = measure >= np.partition(measure, -count)[-count]
            found, measure = found[top], measure[top]
        order = np.lexsort((found, -measure))[:count]
        return np.sort(found[order]).astype(np.int64)

    def _column(self, column: int) -> NDArray[np.float64]:
        people, strengths = self._met_by_arrays(column)
        rows = [self._row(person) for person in people.tolist()]
        near = np.zeros(len(self._diagonal))
        if rows:
            lengths = [len(columns) for columns, _ in rows]
            weights = np.repeat(self._roll.weights[people] * strengths, lengths)
            near += np.bincount(
                np.concatenate([columns for columns, _ in rows]),
                weights=weights * np.concatenate([values for _, values in rows]),
                minlength=len(self._diagonal),
            )
        if self._features is not None:
            alike = (self._features @ self._features[column].T).todense()
            near += self._content_scale * np.asarray(alike, dtype=float).ravel()
        return near

    def _block(self, members: NDArray[np.int64]) -> Floats:
        parts = [self._met_by_arrays(column) for column in members.tolist()]
        lengths = [0, *(len(people) for people, _ in parts)]
        indptr = np.cumsum(lengths, dtype=np.int32)
        people = np.concatenate([people for people, _ in parts])
        rows, count = self._roll.numbered(people)
        values = np.concatenate([strengths for _, strengths in parts])
        values = values * np.sqrt(self._roll.weights[people])
        part = sp.csc_matrix((values, rows, indptr), shape=(count, len(members)))
        block = np.asarray((part.T @ part).todense(), dtype=np.float64)
        if self._features is not None:
            words = self._features[members]
            block = block + self._content_scale * np.asarray((words @ words.T).todense())
        return block.astype(np.float32)

    def _met_by_arrays(self, column: int) -> Pairs:
        """Who met a content (numbers, in the order of the roll) and how strongly."""
        found = self._met_by_cache.get(column)
        if found is None:
            met_by = self._met_by.get(column, {})
            people = np.fromiter(map(self._roll.number, met_by), np.int64, len(met_by))
            strengths = np.fromiter(met_by.values(), np.float64, len(met_by))
            order = np.argsort(self._roll.keys[people], kind="stable")
            found = self._met_by_cache[column] = (people[order], strengths[order])
        return found

    def _row(self, person: int) -> Pairs:
        """What somebody (by number) met, and how strongly."""
        found = self._row_cache.get(person)
        if found is None:
            met = self._people[self._roll.name(person)]
            columns = np.fromiter(met, np.int64, len(met))
            found = (columns, np.fromiter(met.values(), np.float64, len(met)))
            self._row_cache[person] = found
        return found


class _Roll:
    """Numbers for people, with each one's weight and a key that orders them alike in every
    process: the order of a sum decides its last bits."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self.weights = np.zeros(16)
        self.keys = np.zeros(16, dtype=np.uint64)
        self._scratch = np.zeros(16, dtype=np.int32)

    def number(self, person: str) -> int:
        found = self._numbers.get(person)
        if found is None:
            found = self._numbers[person] = len(self._names)
            self._names.append(person)
            if found >= len(self.keys):
                self.weights = np.concatenate([self.weights, np.zeros_like(self.weights)])
                self.keys = np.concatenate([self.keys, np.zeros_like(self.keys)])
                self._scratch = np.zeros(len(self.keys), dtype=np.int32)
            digest = hashlib.blake2b(person.encode(), digest_size=8).digest()
            self.keys[found] = int.from_bytes(digest, "little")
        return found

    def name(self, number: int) -> str:
        return self._names[number]

    def forget(self, person: str) -> None:
        """Drops the name; the number stays taken."""
        number = self._numbers.pop(person, None)
        if number is not None:
            self._names[number] = ""
            self.weights[number] = 0.0
            self.keys[number] = 0

    def numbered(self, people: NDArray[np.int64]) -> tuple[NDArray[np.int32], int]:
        """For each number one from 0 on, the same for the same person; and how many there are.
        Not by a sort, which would cost more than the products that the numbers are for."""
        places = np.arange(len(people), dtype=np.int32)
        self._scratch[people] = places
        distinct = people[self._scratch[people] == places]
        self._scratch[distinct] = np.arange(len(distinct), dtype=np.int32)
        return self._scratch[people], len(distinct)
