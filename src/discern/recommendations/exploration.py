"""Which of the new contents have their turn, in whose list and on which day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.contract import RecommendationRequest
from discern.recommendations.history import SECONDS_A_DAY

POOL_FACTOR: Final = 2
SMALLEST_POOL: Final = 20
"""How many of the best new contents take turns at least."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The chances of one person on one day: a hash of both, so the same request gives the same
    list in every process, and the next day another."""

    key: bytes

    @classmethod
    def of(cls, request: RecommendationRequest) -> Turn:
        """The turn of the request's person, or of its history's, on its day: that of ``now``, or
        else of the newest event, where it names none."""
        history = request.history
        person = request.person or (history[0].person if history else "")
        day: float | None = request.day
        if day is None:
            newest = max((event.at for event in history), default=0.0)
            day = (newest if request.now is None else request.now) // SECONDS_A_DAY
        return cls(f"{person}\0{float(day)}".encode("utf-8", "surrogatepass"))

    def places(self, n: int, share: float) -> int:
        """How many of ``n`` places are for new contents: ``n * share``, where a part of a place
        is a whole one on that part of all days."""
        wanted = round(n * share, 9)
        whole = int(wanted)
        if wanted == whole:
            return whole
        return whole + int(self._draws(b"places", 1).item() < wanted - whole)

    def choose(self, count: int, among: int) -> NDArray[np.int64]:
        """``count`` of the ranks from 0 to ``among`` - 1 (all if there are fewer), ascending; the
        rank k comes with a weight of 1 / (k + 1)."""
        ranks = np.arange(among, dtype=np.int64)
        if count >= among:
            return ranks
        # The largest of log(u) / weight are a weighted sample without replacement.
        keys = np.log(self._draws(b"which", among)) * (ranks + 1)
        return np.sort(np.argsort(-keys, kind="stable")[:count])

    def _draws(self, purpose: bytes, count: int) -> NDArray[np.float64]:
        """Numbers inside (0, 1)."""
        stream = hashlib.shake_128(self.key + b"\0" + purpose).digest(4 * count)
        return (np.frombuffer(stream, dtype="<u4") + 0.5) / 2.0**32


def pool_size(places: int) -> int:
    """How many of the best take turns at that many places."""
    return max(SMALLEST_POOL, POOL_FACTOR * places)
