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


@dataclass(frozen=True, slots=True)
class Model:
    """Item-item weights in sparse rows.

    ``weights`` and ``short_weights`` share one pattern of shape (contents, contents): row i
    holds what an interaction with content i says for others, learned for long and for short
    histories. ``popularity`` counts the people who met each content; ``prior`` is the score of
    each content for somebody unknown.
    """

    contents: tuple[str, ...]
    weights: sp.csr_matrix
    short_weights: Floats
    popularity: Floats
    prior: Floats
    settings: Settings

    @property
    def size(self) -> int:
        return len(self.contents)

    def short_matrix(self) -> sp.csr_matrix:
        """``short_weights`` in the pattern of ``weights``, sharing its memory."""
        return sp.csr_matrix(
            (self.short_weights, self.weights.indices, self.weights.indptr),
            shape=self.weights.shape,
        )


def short_share(length: NDArray[np.float64] | float, half: float) -> NDArray[np.float64]:
    """The share of the short-history weights for a history of that many interactions."""
    if half <= 0:
        return np.zeros_like(np.asarray(length, dtype=np.float64))
    return np.asarray(1.0 / (1.0 + (np.asarray(length, dtype=np.float64) / half) ** 2))


def prior_share(length: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """How much of the popularity prior is left after that many interactions."""
    return np.asarray(np.exp(-np.asarray(length, dtype=np.float64) / PRIOR_FADE))


def score_people(model: Model, history: sp.csr_matrix) -> Floats:
    """Scores of every content for every row of ``history``; shape (people, contents).

    For evaluation and precomputing only: one request never makes a full-length vector
    (:mod:`discern.recommendations.rank`).
    """
    length = np.diff(history.indptr).astype(np.float64)
    share = short_share(length, model.settings.short_history)
    scores = np.asarray((_scaled(history, 1 - share) @ model.weights).todense())
    near = np.flatnonzero(share > 1e-3)
    if len(near):
        part = _scaled(history[near], share[near])
        scores[near] += np.asarray((part @ model.short_matrix()).todense())
    scores += (prior_share(length)[:, None] * model.prior[None, :]).astype(np.float32)
    return np.asarray(scores, dtype=np.float32)


def _scaled(history: sp.csr_matrix, share: NDArray[np.float64]) -> sp.csr_matrix:
    return sp.csr_matrix(sp.diags(share.astype(np.float32)) @ history)
