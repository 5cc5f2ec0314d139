"""Item weights by ridge regression on each item's neighbours, or on all items at once.

Local: H. Steck, "Markov Random Fields for Collaborative Filtering" (NeurIPS 2019), with the
dropout ridge of H. Steck, "Autoencoders that don't overfit towards the Identity" (NeurIPS 2020)
and the feature selection of Levy and Jack's fsSLIM. Dense: EDLAE of the same paper. Weights that
may not be negative, as in X. Ning and G. Karypis, "SLIM" (ICDM 2011), are found by the block
principal pivoting of J. Kim and H. Park, "Fast Nonnegative Matrix Factorization" (SISC 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg.lapack import sposv, spotrf, spotri
from threadpoolctl import threadpool_limits

from discern.errors import InferenceFailed, TooLarge
from discern.recommendations.gram import DENSE_LIMIT, DenseGram, Floats, Gram, Indices

REPORT_EVERY = 64
MOST_EXCHANGES = 60
"""Past these, a column keeps the best of what it has: no data has needed a third of them."""

PATIENCE = 3
"""Exchanges of whole blocks that may fail to lessen what is infeasible, before one at a time."""

ROUNDING = 1e-6
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Ridge:
    """``diag(A)`` is raised by ``ridge + dropout / (1 - dropout) * diag(A)``.

    ``dropout`` is the share of a person's history thought away while learning: the higher, the
    shorter the histories the weights are made for. ``against`` is the share that the best weights
    have beside the best ones without any below 0: where likes are scarce, what seems to speak
    against a content is nearly always noise.
    """

    ridge: float
    dropout: float
    against: float = 1.0

    def penalty(self, diagonal: Floats) -> Floats:
        return np.float32(self.ridge) + np.float32(self.dropout / (1 - self.dropout)) * diagonal


def solve_columns(
    gram: Gram,
    columns: NDArray[np.int64],
    neighbours: Indices,
    ridges: Sequence[Ridge],
    progress: Progress | None = None,
) -> list[Floats]:
    """For each ridge the weights of ``neighbours`` (same shape, float32) that best predict each
    column: ``(A_NN + penalty) w = A_Nj``. Neighbours of -1 get weight 0."""
    weights = [np.zeros(neighbours.shape, dtype=np.float32) for _ in ridges]
    # Systems this small are solved slower by several threads than by one.
    with threadpool_limits(1, user_api="blas"):
        for row, column in enumerate(columns):
            members = neighbours[row][neighbours[row] >= 0].astype(np.int64)
            if len(members):
                block = gram.block(np.append(members, column))
                for solved, ridge in zip(weights, ridges, strict=True):
                    solved[row, : len(members)] = solve_one(block, ridge)
            if progress is not None and row % REPORT_EVERY == REPORT_EVERY - 1:
                progress(REPORT_EVERY)
    return weights


def solve_one(block: Floats, ridge: Ridge) -> Floats:
    """The weights of all but the last member of ``block`` that best predict the last."""
    count = len(block) - 1
    system = np.array(block[:count, :count], order="F")
    system[np.diag_indices(count)] += ridge.penalty(np.diagonal(system))
    target = block[:count, count]
    if ridge.against >= 1:
        return _least(system, target)
    weights = _least_nonnegative(system, target)
    if ridge.against > 0:
        weights += np.float32(ridge.against) * (_least(system, target) - weights)
    return weights


def _least(system: Floats, target: Floats) -> Floats:
    if not len(target):
        return np.empty(0, dtype=np.float32)
    _, solution, info = sposv(system, target, lower=1)
    if info != 0:
        # Only a ridge of nearly nothing on repeated columns can lose definiteness to rounding.
        solution = np.linalg.lstsq(system, target, rcond=None)[0]
    return np.asarray(solution, dtype=np.float32).ravel()


def _least_nonnegative(system: Floats, target: Floats) -> Floats:
    weights = np.zeros(len(target), dtype=np.float32)
    free = target > 0
    slack = ROUNDING * float(np.abs(target).max(initial=0.0))
    fewest, patience = len(target) + 1, PATIENCE
    for _ in range(MOST_EXCHANGES):
        inside = np.flatnonzero(free)
        weights[:] = 0.0
        weights[inside] = _least(system[np.ix_(inside, inside)], target[inside])
        gradient = system[:, inside] @ weights[inside] - target
        wrong = np.flatnonzero(np.where(free, weights < 0, gradient < -slack))
        if not len(wrong):
            return weights
        if len(wrong) < fewest:
            fewest, patience = len(wrong), PATIENCE
        elif patience > 0:
            patience -= 1
        else:  # one at a time always ends
            wrong = wrong[-1:]
        free[wrong] = ~free[wrong]
    return np.maximum(weights, 0.0)


def solve_dense(gram: DenseGram, ridge: Ridge) -> Floats:
    """All weights at once, shape (size, size), zero diagonal; column j predicts item j.

    Raises:
        TooLarge: more contents than :data:`DENSE_LIMIT`.
        InferenceFailed: the matrix is not positive definite; a larger ridge helps.
    """
    if gram.size > DENSE_LIMIT:
        raise TooLarge(
            f"The dense solution is for up to {DENSE_LIMIT:,} contents.", limit=DENSE_LIMIT
        )
    system = np.array(gram.matrix, order="F")
    system[np.diag_indices(gram.size)] += np.maximum(ridge.penalty(gram.diagonal), 1e-3)
    factor, info = spotrf(system, lower=1, overwrite_a=1)
    if info == 0:
        inverse, info = spotri(factor, lower=1, overwrite_c=1)
    if info != 0:
        raise InferenceFailed("The Gram matrix is not positive definite; use a larger ridge.")
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    inverse /= -np.diagonal(inverse).copy()
    np.fill_diagonal(inverse, 0.0)
    return np.asarray(inverse, dtype=np.float32)


def to_rows(
    columns: NDArray[np.int64], neighbours: Indices, weights: Floats, size: int
) -> sp.csr_matrix:
    """Weights by column as a CSR matrix of shape (size, size): row i holds what liking item i
    says for every other item."""
    given = neighbours >= 0
    targets = np.repeat(columns, given.sum(axis=1))
    matrix = sp.csr_matrix(
        (weights[given], (neighbours[given], targets)), shape=(size, size), dtype=np.float32
    )
    matrix.sort_indices()
    return matrix
