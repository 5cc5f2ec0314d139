"""Interactions and content in, a model out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.errors import EmptyInput
from discern.recommendations.gram import (
    DENSE_LIMIT,
    DenseGram,
    Floats,
    Gram,
    Indices,
    make_gram,
    stack,
)
from discern.recommendations.model import Model
from discern.recommendations.settings import Settings
from discern.recommendations.solve import Progress, Ridge, solve_columns, solve_dense, to_rows

MOST_IN_A_ROW: Final = 1_000
"""The most contents that one like may speak for in a catalogue over :data:`DENSE_LIMIT`."""


def gram_of(
    interactions: sp.csr_matrix, features: sp.csr_matrix | None, settings: Settings
) -> Gram:
    """The Gram matrix these settings describe."""
    return make_gram(
        stack(
            interactions,
            features,
            activity_exponent=settings.activity_exponent,
            content_weight=settings.content_weight,
        )
    )


def fit_model(
    interactions: sp.csr_matrix,
    contents: Sequence[str],
    *,
    settings: Settings,
    features: sp.csr_matrix | None = None,
    progress: Progress | None = None,
) -> Model:
    """Learns a model with given settings.

    Args:
        interactions: float32 CSR of shape (people, contents), strengths in (0, 1].
        contents: the columns' ids.
        features: rows of unit length, shape (contents, words), or None.
        progress: called with the number of contents solved since the last call.

    Raises:
        EmptyInput: no interactions at all.
    """
    if interactions.nnz == 0:
        raise EmptyInput("There are no interactions to learn from.", field="interactions")
    gram = gram_of(interactions, features, settings)
    solve = _solve_dense if settings.dense and isinstance(gram, DenseGram) else _solve_local
    weights, short = solve(gram, settings, progress)
    if gram.size > DENSE_LIMIT:
        weights, short = shorten_rows(weights, short, MOST_IN_A_ROW)
    popularity = np.asarray((interactions > 0).sum(axis=0), dtype=np.float32).ravel()
    return assemble(contents, weights, short, popularity, settings)


def shorten_rows(weights: sp.csr_matrix, short: Floats, most: int) -> tuple[sp.csr_matrix, Floats]:
    """Keeps each row's ``most`` largest weights. The columns are short by themselves, but what is
    liked most is a neighbour of half a large catalogue, and a list sums whole rows."""
    kept = np.ones(weights.nnz, dtype=bool)
    for row in np.flatnonzero(np.diff(weights.indptr) > most).tolist():
        start, end = int(weights.indptr[row]), int(weights.indptr[row + 1])
        size = np.abs(weights.data[start:end])
        kept[start + np.argpartition(-size, most)[most:]] = False
    indptr = np.concatenate([[0], np.cumsum(kept)])[weights.indptr]
    matrix = sp.csr_matrix((weights.data[kept], weights.indices[kept], indptr), weights.shape)
    return matrix, short[kept]


def ridges(settings: Settings) -> list[Ridge]:
    """The ridge for long histories, then that for short ones."""
    return [
        Ridge(settings.ridge, settings.dropout, settings.against),
        Ridge(settings.ridge, settings.short_dropout, settings.against),
    ]


def assemble(
    contents: Sequence[str],
    weights: sp.csr_matrix,
    short: Floats,
    popularity: Floats,
    settings: Settings,
) -> Model:
    """Holds back popular targets, rounds to what a bundle keeps, and adds the prior."""
    scale = popularity_scale(popularity, settings.popularity_exponent)[weights.indices]
    held_back = sp.csr_matrix(
        (weights.data * scale, weights.indices, weights.indptr), shape=weights.shape
    )
    return Model(
        contents=tuple(contents),
        indptr=weights.indptr.astype(np.int64),
        indices=weights.indices.astype(np.int32),
        long=held_back.data.astype(np.float16),
        short=(short * scale).astype(np.float16),
        popularity=popularity,
        prior=prior_of(held_back, popularity, settings.prior),
        settings=settings,
    )


def popularity_scale(popularity: Floats, exponent: float) -> Floats:
    """The factor on scores for each content: ``(people + 1)^-exponent``, 1 for the typical."""
    known = popularity[popularity > 0]
    typical = float(np.median(known)) if len(known) else 1.0
    return np.asarray(((popularity + 1) / (typical + 1)) ** -exponent, dtype=np.float32)


def prior_of(weights: sp.csr_matrix, popularity: Floats, strength: float) -> Floats:
    """``strength`` times a typical content's largest weight for the most popular content, and in
    proportion for the others."""
    top = float(popularity.max(initial=0.0))
    share = popularity / top if top > 0 else popularity
    return np.asarray(strength * typical_largest(weights) * share, dtype=np.float32)


def typical_largest(weights: sp.csr_matrix) -> float:
    """The median over contents of the largest weight of their row."""
    filled = np.diff(weights.indptr) > 0
    if not filled.any():
        return 1.0
    largest = np.maximum.reduceat(weights.data, weights.indptr[:-1][filled])
    return max(float(np.median(largest)), 1e-6)


def _solve_local(
    gram: Gram, settings: Settings, progress: Progress | None
) -> tuple[sp.csr_matrix, Floats]:
    columns = np.flatnonzero(gram.diagonal > 0)
    neighbours = gram.neighbours(columns, settings.neighbours, settings.neighbour_exponent)
    long, short = solve_columns(gram, columns, neighbours, ridges(settings), progress)
    return _paired_rows(columns, neighbours, long, short, gram.size)


def _paired_rows(
    columns: NDArray[np.int64], neighbours: Indices, long: Floats, short: Floats, size: int
) -> tuple[sp.csr_matrix, Floats]:
    kept = np.where((long != 0) | (short != 0), neighbours, -1)
    weights = to_rows(columns, kept, long, size)
    return weights, to_rows(columns, kept, short, size).data


def _solve_dense(
    gram: Gram, settings: Settings, progress: Progress | None
) -> tuple[sp.csr_matrix, Floats]:
    assert isinstance(gram, DenseGram)  # noqa: S101 - narrows the type; the caller has looked
    pattern = np.arange(gram.size, dtype=np.int32)
    indices = np.tile(pattern, gram.size)
    indptr = np.arange(gram.size + 1, dtype=np.int64) * gram.size
    long, short = (solve_dense(gram, ridge).ravel() for ridge in ridges(settings))
    if progress is not None:
        progress(gram.size)
    return sp.csr_matrix((long, indices, indptr), shape=(gram.size, gram.size)), short
