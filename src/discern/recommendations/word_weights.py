"""How much sharing a word says about being liked by the same people."""

from __future__ import annotations

from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

SHRINK: Final = 20.0
"""Pairs of contents that count for a word's mean before its own do."""

LEAST: Final = 0.01
ACTIVITY_EXPONENT: Final = 0.5

Floats = NDArray[np.float32]


def word_weights(features: sp.csr_matrix, interactions: sp.csr_matrix) -> Floats:
    """For each word the mean cosine (by who liked them) of the pairs of contents that share it,
    over that of all pairs; shrunk towards 1 where there are few pairs. float32, shape (words,).

    An author or a lead tells more than a genre, a genre more than a word of the plot; rarity alone
    does not know. The sum over all pairs of a word's contents is the squared length of the sum of
    their vectors, so no pair is ever looked at.

    Args:
        features: shape (contents, words); what counts is which are not 0.
        interactions: strengths, shape (people, contents).
    """
    contents = features.shape[0]
    vectors = _unit_columns(interactions)
    met = np.asarray((interactions > 0).sum(axis=0)).ravel() > 0
    has = sp.csr_matrix((features > 0).astype(np.float32))
    has = sp.csr_matrix(sp.diags(met.astype(np.float32)) @ has)
    spread = np.asarray(has.sum(axis=0), dtype=np.float64).ravel()
    pairs = spread * (spread - 1)
    sums = vectors @ has
    shared = np.asarray(sums.multiply(sums).sum(axis=0), dtype=np.float64).ravel() - spread
    everything = np.asarray(vectors.sum(axis=1), dtype=np.float64).ravel()
    known = float(met.sum())
    typical = (float(everything @ everything) - known) / max(known * (known - 1), 1.0)
    if contents < 2 or typical <= 0:
        return np.ones(features.shape[1], dtype=np.float32)
    mean = (shared + SHRINK * typical) / (pairs + SHRINK)
    return np.asarray(np.maximum(mean / typical, LEAST), dtype=np.float32)


def _unit_columns(interactions: sp.csr_matrix) -> sp.csr_matrix:
    """Contents as unit vectors over people, the very active held back."""
    activity = np.asarray(interactions.sum(axis=1), dtype=np.float64).ravel()
    scale = np.where(activity > 0, np.maximum(activity, 1e-9), 1.0) ** (-ACTIVITY_EXPONENT / 2)
    weighted = sp.csr_matrix(sp.diags(scale) @ interactions)
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=0)).ravel())
    inverse = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sp.csr_matrix(weighted @ sp.diags(inverse))
