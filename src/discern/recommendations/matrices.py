"""Ids to rows and columns: interactions as a sparse matrix of people by contents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp

from discern.recommendations.contract import MAX_VIEW_SECONDS, Interaction

LIKE_STRENGTH: Final = 1.0
VISIT_STRENGTH: Final = 0.3
FULL_VIEW_SECONDS: Final = 60.0
"""A view this long counts as much as a view can."""

MAX_VIEW_STRENGTH: Final = 0.8
DISLIKE_STRENGTH: Final = -1.0

Verdict = tuple[float, bool, float]
"""When, whether by a like or dislike, and how strongly."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """``matrix``: float32 CSR of shape (people, contents), one positive strength for each pair."""

    matrix: sp.csr_matrix
    people: tuple[str, ...]
    contents: tuple[str, ...]


def strength(event: Interaction) -> float:
    """How much one event speaks for (up to 1) or against (-1) a content.

    A like outweighs a view of any length; a view grows with its logarithm up to a minute, so
    that a tab left open says no more than a text read.
    """
    if event.disliked:
        return DISLIKE_STRENGTH
    if event.liked:
        return LIKE_STRENGTH
    seconds = min(max(event.view_time, 0.0), MAX_VIEW_SECONDS)
    if seconds == 0.0:
        return VISIT_STRENGTH
    share = min(float(np.log1p(seconds) / np.log1p(FULL_VIEW_SECONDS)), 1.0)
    return VISIT_STRENGTH + (MAX_VIEW_STRENGTH - VISIT_STRENGTH) * share


def from_interactions(
    interactions: Iterable[Interaction], contents: Sequence[str] | None = None
) -> Ratings:
    """Folds events into one strength for each person and content: the last like or dislike
    decides, else the strongest view. Disliked pairs are left out, and so are contents not listed
    in ``contents`` (if given)."""
    columns = None if contents is None else {name: index for index, name in enumerate(contents)}
    verdicts: dict[tuple[str, str], Verdict] = {}
    for event in interactions:
        if columns is not None and event.content not in columns:
            continue
        key = (event.person, event.content)
        verdicts[key] = newer(verdicts.get(key), event)
    positive = {key: verdict[2] for key, verdict in verdicts.items() if verdict[2] > 0}
    return from_pairs(
        [key[0] for key in positive],
        [key[1] for key in positive],
        strengths=list(positive.values()),
        contents=contents,
    )


def folded(events: Iterable[Interaction]) -> float:
    """What one person's events with one content come to, by the rules of
    :func:`from_interactions`; 0 for none."""
    verdict: Verdict | None = None
    for event in events:
        verdict = newer(verdict, event)
    return 0.0 if verdict is None else verdict[2]


def newer(known: Verdict | None, event: Interaction) -> Verdict:
    """Which of the two decides; of two verdicts of the same moment the one told last."""
    explicit = event.liked or event.disliked
    fresh = (event.at, explicit, strength(event))
    if known is None:
        return fresh
    if explicit != known[1]:
        return fresh if explicit else known
    if explicit:
        return fresh if event.at >= known[0] else known
    return max(known, fresh, key=lambda verdict: verdict[2])


def from_pairs(
    people: Sequence[str],
    contents_met: Sequence[str],
    *,
    strengths: Sequence[float] | None = None,
    contents: Sequence[str] | None = None,
) -> Ratings:
    """A matrix from parallel lists; a pair given twice counts once, at its greatest strength.

    People and (if ``contents`` is None) contents are numbered in order of first appearance.
    """
    rows, person_ids = _numbered(people)
    columns, content_ids = _numbered(contents_met)
    if contents is not None:
        position = {name: index for index, name in enumerate(contents)}
        columns = np.array([position[name] for name in content_ids], dtype=np.int64)[columns]
        content_ids = list(contents)
    values = np.ones(len(rows)) if strengths is None else np.asarray(strengths)
    width = max(len(content_ids), 1)
    keys = rows * width + columns
    order = np.lexsort((-values, keys))
    keys, values = keys[order], values[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    keys, values = keys[first], values[first]
    matrix = sp.csr_matrix(
        (values.astype(np.float32), (keys // width, keys % width)),
        shape=(len(person_ids), len(content_ids)),
    )
    return Ratings(matrix, tuple(person_ids), tuple(content_ids))


def _numbered(names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    numbers: dict[str, int] = {}
    rows = np.fromiter(
        (numbers.setdefault(name, len(numbers)) for name in names), np.int64, len(names)
    )
    return rows, list(numbers)


def keep_people(matrix: sp.csr_matrix, rows: np.ndarray) -> sp.csr_matrix:
    """The rows of some people, with sorted indices."""
    part = matrix[rows].tocsr()
    part.sort_indices()
    return part
