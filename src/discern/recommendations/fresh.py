"""Contents too new to be known by anybody: they get a column of weights from their words.

Kernel ridge regression from words to columns of weights: with ``F`` the known contents' word
vectors, ``f`` the new content's and ``W`` the item weights (a content also speaks for its own
likeness), the new column is ``(W + s I) (F F' + lambda I)^-1 F f``. Words count by how much sharing
them says about who likes what. ``W`` is the mean of the weights for long and for short histories
with columns of unit length: otherwise the well known among the neighbors decide. From there on a
new content is ranked as any other, by a sum over the history, and the popularity that the same
regression foretells is added, in units of how far the person's scores lie apart.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from discern.errors import BundleInvalid
from discern.recommendations.contract import Content
from discern.recommendations.fit import typical_largest
from discern.recommendations.gram import Floats
from discern.recommendations.history import History
from discern.recommendations.model import Model
from discern.recommendations.text_features import Vocabulary, document, unit_rows
from discern.recommendations.years import years_of_known, years_of_text

RIDGE: Final = 1.5
OWN_SHARE: Final = 3.0
"""How much a content speaks for its own likeness, in units of a typical largest weight."""

FAME_SHARE: Final = 0.15
"""How much the popularity that words promise counts beside what they say to the person."""

YEARS_SHARE: Final = 0.1
"""How much naming the same year counts beside having the same words."""

SHORTEST_COLUMN: Final = 0.1
"""Columns shorter than this share of the median are not stretched to the length of others."""

TOLERANCE: Final = 1e-3
MAX_ITERATIONS: Final = 50
WEIGHTS_KEPT: Final = 4_000
"""The most weights of one new column, the largest by size."""

MAX_FRESH: Final = 2_000
"""The most new contents ranked; the newest stay."""

NEIGHBOURS: Final = 50

Columns = NDArray[np.int64]
Row = tuple[NDArray[np.int32], Floats]


@dataclass(frozen=True, slots=True)
class Words:
    """What is kept of the known contents' texts: ``features`` are their vectors, float32 CSR of
    shape (contents, words); ``weights`` how much each word tells of who likes a content (see
    :mod:`discern.recommendations.word_weights`), None for all alike."""

    vocabulary: Vocabulary
    features: sp.csr_matrix
    weights: Floats | None = None

    def weighted(self, vectors: sp.csr_matrix) -> sp.csr_matrix:
        """Rows of unit length with each word by its weight."""
        if self.weights is None:
            return vectors
        return unit_rows(sp.csr_matrix(vectors @ sp.diags(self.weights)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All but the words themselves, for a bundle; values in half precision."""
        weights = {} if self.weights is None else {"weights": self.weights}
        return {
            **weights,
            "rarity": self.vocabulary.rarity,
            "indptr": self.features.indptr.astype(np.int64),
            "indices": self.features.indices.astype(np.uint16),
            "values": self.features.data.astype(np.float16),
        }

    @classmethod
    def from_arrays(
        cls, words: tuple[str, ...], arrays: Mapping[str, NDArray[Any]], contents: int
    ) -> Words:
        """The inverse of :meth:`arrays`.

        Raises:
            BundleInvalid: the arrays do not fit one another.
        """
        try:
            indices = arrays["indices"].astype(np.int32)
            features = sp.csr_matrix(
                (arrays["values"].astype(np.float32), indices, arrays["indptr"]),
                shape=(contents, len(words)),
            )
            features.check_format()
            told = (arrays["rarity"], arrays.get("weights", arrays["rarity"]))
            if any(len(each) != len(words) for each in told):
                raise ValueError("words and their rarity differ in number")
        except (KeyError, ValueError) as error:
            raise BundleInvalid(f"The words of the bundle are damaged: {error}.") from error
        weights = arrays.get("weights")
        return cls(
            Vocabulary(words, arrays["rarity"].astype(np.float32)),
            features,
            None if weights is None else weights.astype(np.float32),
        )


class FreshContents:
    """The new contents of one ranker. Safe to read while another thread adds."""

    def __init__(self, model: Model | None, words: Words | None) -> None:
        self._words = words if model is not None and words and words.features.nnz else None
        self._weights = _even(model) if model is not None and self._words else None
        self._features = _known_vectors(self._words) if self._words else None
        self._fame = _fame(model) if model is not None and self._words else np.empty(0)
        self._scale = typical_largest(self._weights) if self._weights is not None else 0.0
        self._lock = threading.Lock()
        self._texts: dict[int, str] = {}
        self._vectors: dict[int, sp.csr_matrix] = {}
        self._solved: dict[int, sp.csr_matrix] = {}
        self._promised: dict[int, float] = {}
        self._columns: Columns = np.empty(0, dtype=np.int64)
        self._matrix: sp.csc_matrix | None = None
        self._rows: dict[int, Row] = {}

    @classmethod
    def none(cls) -> FreshContents:
        """No content is new, or none has words."""
        return cls(None, None)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def empty(self) -> bool:
        """Whether there is no new content to rank."""
        return not self._solved

    def add(self, contents: Iterable[tuple[int, Content]]) -> None:
        """Adds new contents by column; the oldest go when there are too many."""
        if self._words is None:
            return
        for column, content in contents:
            text = document(content)
            if self._texts.get(column) == text:
                continue
            self._texts[column] = text
            told = self._words.weighted(self._words.vocabulary.vectors([text]))
            vector = _with_years(told, years_of_text(text))
            solved, promised = self._solve(vector)
            with self._lock:
                self._vectors.pop(column, None)
                self._solved.pop(column, None)
                self._vectors[column] = vector
                self._solved[column] = solved
                self._promised[column] = promised
                self._matrix = None
                self._rows = {}
                if len(self._vectors) > MAX_FRESH:
                    oldest = next(iter(self._vectors))
                    for kept in (self._vectors, self._solved, self._texts, self._promised):
                        del kept[oldest]

    def scores(self, history: History) -> tuple[Columns, NDArray[np.float64]]:
        """Every new content's column and its score for this history."""
        columns, matrix = self._current()
        scores = np.zeros(len(columns))
        if matrix is None:
            return columns, scores
        for column, weight in zip(history.columns.tolist(), history.weights, strict=True):
            if column < matrix.shape[1]:
                span = slice(matrix.indptr[column], matrix.indptr[column + 1])
                scores[matrix.indices[span]] += weight * matrix.data[span]
            elif column in self._vectors:
                scores += weight * self._scale * self._alike_new(column, columns)
        return columns, scores + self._fame_of(columns, scores)

    def row(self, column: int) -> Row:
        """What liking a new content says for known ones: at most half of what a typical known
        content says, for those with the nearest words."""
        if column not in self._rows:
            self._rows[column] = self._nearest(column)
        return self._rows[column]

    def _current(self) -> tuple[Columns, sp.csc_matrix | None]:
        with self._lock:
            if self._matrix is None and self._solved:
                self._columns = np.fromiter(self._solved, dtype=np.int64)
                self._matrix = sp.csc_matrix(sp.vstack(list(self._solved.values())))
            return self._columns, self._matrix

    def _fame_of(self, columns: Columns, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        promised = np.array([self._promised.get(column, 0.0) for column in columns.tolist()])
        apart = float(promised.std())
        if apart == 0:
            return np.zeros(len(columns))
        # Somebody without a history is shown what is likely to be liked by many.
        unit = float(scores.std()) or self._scale
        return np.asarray(FAME_SHARE * unit * (promised - promised.mean()) / apart)

    def _solve(self, vector: sp.csr_matrix) -> tuple[sp.csr_matrix, float]:
        assert self._features is not None and self._weights is not None  # noqa: S101, PT018
        features = self._features
        size = features.shape[0]
        system = LinearOperator(
            (size, size), matvec=lambda x: features @ (features.T @ x) + RIDGE * x, dtype=float
        )
        target = np.asarray((features @ vector.T).todense(), dtype=np.float64).ravel()
        mixed, _ = cg(system, target, rtol=TOLERANCE, maxiter=MAX_ITERATIONS)
        column = self._weights @ mixed + OWN_SHARE * self._scale * mixed
        kept = np.argsort(-np.abs(column), kind="stable")[:WEIGHTS_KEPT]
        kept = np.sort(kept[column[kept] != 0])
        values = column[kept].astype(np.float32)
        places = (np.zeros(len(kept), np.int32), kept)
        return sp.csr_matrix((values, places), shape=(1, size)), float(mixed @ self._fame)

    def _alike_new(self, column: int, columns: Columns) -> NDArray[np.float64]:
        vector = self._vectors[column]
        others = [self._vectors.get(int(other)) for other in columns]
        return np.array([float((vector @ o.T).sum()) if o is not None else 0.0 for o in others])

    def _nearest(self, column: int) -> Row:
        vector = self._vectors.get(column)
        if vector is None or self._features is None:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        cosine = np.asarray((self._features @ vector.T).todense()).ravel()
        best = np.argsort(-cosine, kind="stable")[:NEIGHBOURS]
        best = np.sort(best[cosine[best] > 0])
        return best.astype(np.int32), (0.5 * self._scale * cosine[best]).astype(np.float32)


def _known_vectors(words: Words) -> sp.csr_matrix:
    years = years_of_known(words.vocabulary, words.features)
    return _with_years(words.weighted(words.features), years)


def _with_years(words: sp.csr_matrix, years: sp.csr_matrix) -> sp.csr_matrix:
    return sp.csr_matrix(sp.hstack([words, np.float32(np.sqrt(YEARS_SHARE)) * years]))


def _even(model: Model) -> sp.csr_matrix:
    """The mean of both kinds of weights, each with its columns brought to the same length."""
    total = np.zeros(len(model.indices), dtype=np.float32)
    for part in (model.long, model.short):
        weights = part.astype(np.float32)
        length = np.sqrt(np.bincount(model.indices, weights**2, minlength=model.size))
        known = length[length > 0]
        if len(known):
            least = SHORTEST_COLUMN * float(np.median(known))
            total += 0.5 * weights / np.maximum(length, least).astype(np.float32)[model.indices]
    return sp.csr_matrix((total, model.indices, model.indptr), shape=(model.size, model.size))


def _fame(model: Model) -> NDArray[np.float64]:
    """The logarithm of each content's popularity, centered."""
    fame = np.log1p(model.popularity.astype(np.float64))
    return np.asarray(fame - fame.mean())
