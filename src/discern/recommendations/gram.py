"""The combined Gram matrix of interactions and content, whole or in the parts asked for.

Content enters as if each word were one more person who likes every text that holds it: with
``Z`` the weighted interactions above the weighted word vectors, the matrix is ``A = Z^T Z``.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

DENSE_LIMIT: Final = 10_000
"""The largest catalogue for which a dense matrix of contents by contents is ever made."""

SPARSE_CHUNK: Final = 512
DENSE_CHUNK: Final = 512

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


class Gram(Protocol):
    """``size`` contents; ``diagonal`` float32 of shape (size,)."""

    size: int
    diagonal: Floats

    def neighbours(self, columns: NDArray[np.int64], count: int, exponent: float) -> Indices:
        """For each column its ``count`` best other contents, best first, by the asymmetric
        cosine ``A_ij / A_ii^exponent`` (a factor that is the same for a whole column changes no
        order); shape (columns, count), -1 where there are fewer."""
        ...

    def block(self, members: NDArray[np.int64]) -> Floats:
        """``A`` restricted to ``members``, shape (members, members)."""
        ...


def stack(
    interactions: sp.csr_matrix,
    features: sp.csr_matrix | None,
    *,
    activity_exponent: float,
    content_weight: float,
) -> sp.csc_matrix:
    """``Z`` with each person's row weighted by ``(activity / mean activity)^-exponent`` in ``A``
    and content by ``content_weight`` times the mean of the diagonal that interactions give."""
    activity = np.asarray(interactions.sum(axis=1)).ravel()
    mean = float(activity[activity > 0].mean()) if (activity > 0).any() else 1.0
    weights = np.where(activity > 0, np.maximum(activity, 1e-9) / mean, 1.0)
    scale = weights ** (-activity_exponent / 2)
    weighted = sp.diags(scale.astype(np.float32)) @ interactions
    if features is None or content_weight <= 0 or features.shape[1] == 0:
        return sp.csc_matrix(weighted, dtype=np.float32)
    typical = float(weighted.multiply(weighted).sum()) / max(interactions.shape[1], 1)
    words = features.T * np.float32(np.sqrt(content_weight * typical))
    return sp.csc_matrix(sp.vstack([weighted, words]), dtype=np.float32)


def make_gram(stacked: sp.csc_matrix) -> Gram:
    """The dense form up to :data:`DENSE_LIMIT` contents, else the sparse one."""
    if stacked.shape[1] <= DENSE_LIMIT:
        return DenseGram(stacked)
    return SparseGram(stacked)


class DenseGram:
    """Holds the whole matrix: quick, for small catalogues."""

    def __init__(self, stacked: sp.csc_matrix) -> None:
        self.size = int(stacked.shape[1])
        self.matrix: Floats = _product(stacked)
        self.diagonal: Floats = np.diag(self.matrix).copy()

    def neighbours(self, columns: NDArray[np.int64], count: int, exponent: float) -> Indices:
        count = min(count, self.size - 1)
        found = np.full((len(columns), max(count, 0)), -1, dtype=np.int32)
        if count <= 0:
            return found
        scale = _power(self.diagonal, exponent)
        for start in range(0, len(columns), DENSE_CHUNK):
            part = columns[start : start + DENSE_CHUNK]
            near = self.matrix[part] * scale
            near[np.arange(len(part)), part] = -np.inf
            found[start : start + len(part)] = _best(near, count)
        return found

    def block(self, members: NDArray[np.int64]) -> Floats:
        return self.matrix[np.ix_(members, members)]


class SparseGram:
    """Makes only what is asked for: memory grows with the interactions, not with pairs."""

    def __init__(self, stacked: sp.csc_matrix) -> None:
        self.size = int(stacked.shape[1])
        self._people = stacked.tocsr()
        self._contents = stacked.T.tocsr()
        squares = stacked.multiply(stacked).sum(axis=0)
        self.diagonal: Floats = np.asarray(squares, dtype=np.float32).ravel()

    def neighbours(self, columns: NDArray[np.int64], count: int, exponent: float) -> Indices:
        count = min(count, self.size - 1)
        found = np.full((len(columns), max(count, 0)), -1, dtype=np.int32)
        scale = _power(self.diagonal, exponent)
        for start in range(0, len(columns), SPARSE_CHUNK):
            part = columns[start : start + SPARSE_CHUNK]
            product = (self._contents[part] @ self._people).tocsr()
            for offset, column in enumerate(part):
                span = slice(product.indptr[offset], product.indptr[offset + 1])
                others, near = product.indices[span], product.data[span]
                near = np.where(others == column, -np.inf, near * scale[others])
                take = min(count, len(others) - 1)
                if take > 0:
                    found[start + offset, :take] = others[_best(near[None, :], take)[0]]
        return found

    def block(self, members: NDArray[np.int64]) -> Floats:
        part = self._contents[members]
        return np.asarray((part @ part.T).todense(), dtype=np.float32)


def _product(stacked: sp.csc_matrix) -> Floats:
    return np.asarray((stacked.T @ stacked).todense(), dtype=np.float32)


def _power(diagonal: Floats, exponent: float) -> Floats:
    return np.where(diagonal > 0, np.maximum(diagonal, 1e-12), np.inf).astype(np.float32) ** (
        -np.float32(exponent)
    )


def _best(near: Floats, count: int) -> NDArray[np.int64]:
    width = near.shape[1]
    if count < width:
        top = np.argpartition(-near, count, axis=1)[:, :count]
    else:
        top = np.tile(np.arange(width), (len(near), 1))
    order = np.argsort(-np.take_along_axis(near, top, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top, order, axis=1)
