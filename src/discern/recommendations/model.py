"""A fitted model in memory, and its scores for many people at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.gram import Floats
from discern.recommendations.settings import Settings

PRIOR_FADE: Final = 4.0
"""Interactions after which the popularity prior has fallen to 37 %; at ten it is at 8 %."""

NEGLIGIBLE: Final = 1e-3
"""A share of the short-history weights or of the prior below this is left out."""

Halves = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Model:
    """Item-item weights in compressed sparse rows, in half precision.

    Row i (``indptr[i]`` to ``indptr[i + 1]``) lists in ``indices``, ascending, the contents that
    an interaction with content i speaks for, in ``long`` how much for people with long
    histories and in ``short`` for those with short ones. ``popularity`` counts the people who
    met each content; ``prior`` is each content's score for somebody unknown.
    """

    contents: tuple[str, ...]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    long: Halves
    short: Halves
    popularity: Floats
    prior: Floats
    settings: Settings

    @property
    def size(self) -> int:
        return len(self.contents)

    def matrix(self, *, short: bool = False) -> sp.csr_matrix:
        """The weights as float32 CSR of shape (contents, contents)."""
        data = (self.short if short else self.long).astype(np.float32)
        return sp.csr_matrix((data, self.indices, self.indptr), shape=(self.size, self.size))


class Scorer:
    """Scores every content for many people: for evaluation and precomputing only. One request
    never makes a full-length vector (:mod:`discern.recommendations.rank`)."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._long = model.matrix()
        self._short = model.matrix(short=True)

    def __call__(self, history: sp.csr_matrix) -> Floats:
        """Histories of shape (people, contents) to scores of the same shape."""
        length = np.diff(history.indptr).astype(np.float64)
        share = short_share(length, self._model.settings.short_history)
        scores = np.asarray((_scaled(history, 1 - share) @ self._long).todense())
        near = np.flatnonzero(share > NEGLIGIBLE)
        if len(near):
            part = _scaled(history[near], share[near])
            scores[near] += np.asarray((part @ self._short).todense())
        prior = prior_share(length)[:, None] * self._model.prior[None, :]
        return np.asarray(scores + prior, dtype=np.float32)


def short_share(length: NDArray[np.float64] | float, half: float) -> NDArray[np.float64]:
    """The share of the short-history weights for a history of that many interactions."""
    if half <= 0:
        return np.zeros_like(np.asarray(length, dtype=np.float64))
    return np.asarray(1.0 / (1.0 + (np.asarray(length, dtype=np.float64) / half) ** 2))


def prior_share(length: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """How much of the popularity prior is left after that many interactions."""
    return np.asarray(np.exp(-np.asarray(length, dtype=np.float64) / PRIOR_FADE))


def _scaled(history: sp.csr_matrix, share: NDArray[np.float64]) -> sp.csr_matrix:
    return sp.csr_matrix(sp.diags(share.astype(np.float32)) @ history)
