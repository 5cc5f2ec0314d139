"""Variety within a list: maximal marginal relevance over what contents have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.catalogue import Catalogue, Columns
from discern.recommendations.contract import Content
from discern.recommendations.rows import Rows


def spread(
    columns: Columns,
    scores: NDArray[np.floating[Any]],
    rows: Rows,
    catalogue: Catalogue,
    n: int,
    diversity: float,
) -> list[int]:
    """Places of the ``n`` candidates (given best first) to show, in order.

    Each next one has the best ``(1 - diversity) * relevance - diversity * likeness`` to those
    chosen; J. Carbonell and J. Goldstein, "The Use of MMR" (SIGIR 1998). Relevance is the score
    scaled to 0..1 over the candidates.
    """
    if diversity <= 0 or len(columns) <= 1:
        return list(range(min(n, len(columns))))
    low, high = float(scores.min()), float(scores.max())
    relevance = (scores - low) / (high - low) if high > low else np.ones(len(scores))
    near = likeness(columns, rows, catalogue)
    nearest = np.zeros(len(columns))
    left = np.ones(len(columns), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(n, len(columns))):
        worth = np.where(left, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        place = int(np.argmax(worth))
        chosen.append(place)
        left[place] = False
        nearest = np.maximum(nearest, near[place])
    return chosen


def likeness(columns: Columns, rows: Rows, catalogue: Catalogue) -> NDArray[np.float64]:
    """How alike candidates are, 0..1, symmetric: by shared labels or by the weights that people's
    behavior gave them, whichever is more."""
    size = len(columns)
    near = np.zeros((size, size))
    order = np.argsort(columns)
    ordered = columns[order]
    for place, column in enumerate(columns.tolist()):
        targets, long, _ = rows.row(column)
        top = float(long.max(initial=0.0))
        if top <= 0:
            continue
        where = np.minimum(np.searchsorted(ordered, targets), size - 1)
        match = ordered[where] == targets
        near[place, order[where[match]]] = np.clip(long[match] / top, 0.0, 1.0)
    near = np.maximum(near, near.T)
    contents = [catalogue.content(column) for column in columns.tolist()]
    for place, content in enumerate(contents):
        for other in range(place):
            shared = _shared_labels(content, contents[other])
            if shared > near[place, other]:
                near[place, other] = near[other, place] = shared
    return near


def _shared_labels(one: Content, other: Content) -> float:
    """Half for the same category, half for the share of common tags."""
    category = 0.5 if one.category and one.category == other.category else 0.0
    tags, others = set(one.tags), set(other.tags)
    return category + (0.5 * len(tags & others) / len(tags | others) if tags and others else 0.0)
