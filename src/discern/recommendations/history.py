"""A person's interactions as weights on columns: newest first, aged, folded to one each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.contract import MAX_HISTORY, Interaction
from discern.recommendations.matrices import strength

HALF_LIFE_DAYS: Final = 180.0
OLDEST_SHARE: Final = 0.3
"""However old, an interaction keeps this share of its weight: taste outlasts a season."""

DISLIKE_SHARE: Final = 0.5
"""A dislike pushes half as hard as a like pulls: one may dislike a text and like its subject."""

SECONDS_A_DAY: Final = 86_400.0
_AT: Final = attrgetter("at")


@dataclass(frozen=True, slots=True)
class History:
    """``columns`` int64 and ``weights`` float32, of one length, newest first; ``length`` counts
    the interactions that speak for something."""

    columns: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def length(self) -> int:
        return int((self.weights > 0).sum())


def weigh(
    events: Sequence[Interaction],
    column_of: Callable[[str], int | None],
    now: float | None = None,
) -> History:
    """Folds the newest :data:`~discern.recommendations.contract.MAX_HISTORY` contents of a
    history. The newest like or dislike of a content decides, else its strongest view; unknown
    contents are left out."""
    ordered = sorted(events, key=_AT)
    ordered.reverse()  # of the same moment, the one told last is the newest
    latest = now if now is not None else (ordered[0].at if ordered else 0.0)
    folded: dict[int, float] = {}
    decided: set[int] = set()
    for event in ordered:
        column = column_of(event.content)
        if column is None or column in decided:
            continue
        known = folded.get(column)
        if known is None and len(folded) == MAX_HISTORY:
            continue
        weight = _weight(event, latest)
        if event.liked or event.disliked:
            decided.add(column)
            folded[column] = weight
        elif known is None or weight > known:
            folded[column] = weight
    return History(np.array(list(folded), np.int64), np.array(list(folded.values()), np.float32))


def _weight(event: Interaction, now: float) -> float:
    value = strength(event)
    age = 1.0
    if now > event.at:
        days = (now - event.at) / SECONDS_A_DAY
        age = max(math.pow(0.5, days / HALF_LIFE_DAYS), OLDEST_SHARE)
    return age * (value if value > 0 else value * DISLIKE_SHARE)
