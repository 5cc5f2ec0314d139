"""Item weights by ridge regression on each item's neighbours, or on all items at once.

Local: H. Steck, "Markov Random Fields for Collaborative Filtering" (NeurIPS 2019), with the
dropout ridge of H. Steck, "Autoencoders that don't overfit towards the Identity" (NeurIPS 2020)
and the feature selection of Levy and Jack's fsSLIM. Dense: EDLAE of the same paper.
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
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Ridge:
    """``diag(A)`` is raised by ``ridge + dropout / (1 - dropout) * diag(A)``.

    ``dropout`` is the share of a person's history thought away while learning: the higher, the
    shorter the histories the weights are made for.
    """

    ridge: float
    dropout: float

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
    system = np.asfortranarray(block[:count, :count])
    diagonal = np.diagonal(system).copy()
    system[np.diag_indices(count)] += ridge.penalty(diagonal)
    _, solution, info = sposv(system, block[:count, count], lower=1, overwrite_a=1)
    if info != 0:
        # Only a ridge of nearly nothing on repeated columns can lose definiteness to rounding.
        system = block[:count, :count] + np.diag(ridge.penalty(diagonal))
        solution = np.linalg.lstsq(system, block[:count, count], rcond=None)[0]
    return np.asarray(solution, dtype=np.float32).ravel()


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
