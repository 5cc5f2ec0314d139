"""Ranking quality on held-out interactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.gram import Floats

PEOPLE_AT_ONCE: Final = 512
SCORES_AT_ONCE: Final = 20_000_000
RECALL_AT: Final = (10, 20, 50)
NDCG_AT: Final = (10, 20, 100)

Scorer = Callable[[sp.csr_matrix], Floats]
"""Histories of shape (people, contents) to scores of the same shape."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """People to judge by: their known ``history`` and what is to be found, ``targets``, both CSR
    of shape (people, contents). ``missing`` counts targets that are no column at all, shape
    (people,): they can never be hit, and count in full against the ranker."""

    history: sp.csr_matrix
    targets: sp.csr_matrix
    missing: NDArray[np.int64]


def judge(
    scorer: Scorer, people: HeldOut, *, masked: sp.csr_matrix | None = None
) -> dict[str, float]:
    """Mean Recall@K = hits / min(K, held out) and binary NDCG@K, its ideal cut at
    min(K, held out), over the people with a target; ``masked`` (the history if None) is never
    ranked."""
    masked = people.history if masked is None else masked
    total = np.zeros(len(RECALL_AT) + len(NDCG_AT))
    counted = 0
    step = max(1, min(PEOPLE_AT_ONCE, SCORES_AT_ONCE // max(people.history.shape[1], 1)))
    for start in range(0, people.history.shape[0], step):
        part = slice(start, start + step)
        ranked = top_columns(
            scorer(people.history[part]), masked[part], max((*RECALL_AT, *NDCG_AT))
        )
        rows = figures(ranked, people.targets[part], people.missing[part])
        total += rows.sum(axis=0)
        counted += len(rows)
    means = total / max(counted, 1)
    names = [*(f"recall@{k}" for k in RECALL_AT), *(f"ndcg@{k}" for k in NDCG_AT)]
    return dict(zip(names, map(float, means), strict=True))


def top_columns(scores: Floats, masked: sp.csr_matrix, count: int) -> NDArray[np.int64]:
    """The best columns of each row, best first, what is masked left out; the lower column first
    among equals; -1 where a row has fewer."""
    scores = np.array(scores, dtype=np.float32)
    scores[masked.nonzero()] = -np.inf
    count = min(count, scores.shape[1])
    top = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    top.sort(axis=1)
    values = np.take_along_axis(scores, top, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(values, order, axis=1)), -1, top)


def figures(
    ranked: NDArray[np.int64], targets: sp.csr_matrix, missing: NDArray[np.int64]
) -> NDArray[np.float64]:
    """One row for each person with a target: the recalls, then the NDCGs."""
    hits = hits_of(ranked, targets)
    held = np.diff(targets.indptr) + missing
    some = held > 0
    hits, held = hits[some], held[some]
    recalls = [hits[:, :k].sum(axis=1) / np.minimum(held, k) for k in RECALL_AT]
    return np.column_stack([*recalls, *(ndcg(hits, held, k) for k in NDCG_AT)])


def ndcg(hits: NDArray[np.bool_], held: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Binary NDCG@count of each row of ``hits`` (by rank), with ``held`` targets in all."""
    discount = 1.0 / np.log2(np.arange(2, count + 2))
    gained = hits[:, :count] @ discount[: hits.shape[1]]
    ideal = np.cumsum(discount)[np.minimum(held, count) - 1]
    return np.asarray(gained / ideal)


def hits_of(ranked: NDArray[np.int64], targets: sp.csr_matrix) -> NDArray[np.bool_]:
    """Which places of each ranking hold a target; shape of ``ranked``."""
    found = np.zeros(ranked.shape, dtype=bool)
    for row in range(len(ranked)):
        span = slice(targets.indptr[row], targets.indptr[row + 1])
        found[row] = np.isin(ranked[row], targets.indices[span])
    return found


def coverage(ranked: NDArray[np.int64], size: int) -> float:
    """The share of the catalogue that is in anybody's list."""
    return len(np.unique(ranked[ranked >= 0])) / max(size, 1)


def gini(counts: Sequence[float] | NDArray[np.float64]) -> float:
    """0 when every content is shown equally often, near 1 when one takes all."""
    ordered = np.sort(np.asarray(counts, dtype=np.float64))
    total = ordered.sum()
    if total <= 0:
        return 0.0
    place = np.arange(1, len(ordered) + 1)
    return float(
        2 * (place * ordered).sum() / (len(ordered) * total) - (len(ordered) + 1) / len(ordered)
    )
