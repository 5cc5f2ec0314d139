"""Two rankers side by side: who gets which, and how they compare."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from discern.errors import InvalidInput

Z_95: Final = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to rank, and its share of the people, in any unit."""

    name: str
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of impressions with its 95 % confidence interval."""

    value: float
    low: float
    high: float
    hits: int
    impressions: int


def assign(person: str, experiment: str, arms: Sequence[Arm]) -> Arm:
    """The person's arm: always the same one for the same experiment, whoever asks, and
    independent between experiments.

    Raises:
        InvalidInput: no arms, a share below 0, or all shares 0.
    """
    total = sum(arm.share for arm in arms)
    if not arms or any(arm.share < 0 for arm in arms) or total <= 0:
        raise InvalidInput("An experiment needs arms with shares above 0.", field="arms")
    digest = hashlib.sha256(f"{len(experiment)}:{experiment}:{person}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * total
    for arm in arms:
        place -= arm.share
        if place < 0:
            return arm
    return next(arm for arm in reversed(arms) if arm.share > 0)


def rate(hits: int, impressions: int) -> Rate:
    """The share of impressions that led to something, with Wilson's interval (E. B. Wilson,
    1927), which stays sensible for few impressions and for shares near 0.

    Raises:
        InvalidInput: more hits than impressions, or less than none.
    """
    if not 0 <= hits <= impressions:
        raise InvalidInput("'hits' must lie between 0 and 'impressions'.", field="hits")
    if impressions == 0:
        return Rate(0.0, 0.0, 1.0, 0, 0)
    share = hits / impressions
    spread = Z_95**2 / impressions
    center = (share + spread / 2) / (1 + spread)
    half = Z_95 * math.sqrt(share * (1 - share) / impressions + spread / (4 * impressions))
    half /= 1 + spread
    # Rounding must not push the bounds past the share itself at 0 and 1.
    low, high = max(min(center - half, share), 0.0), min(max(center + half, share), 1.0)
    return Rate(share, low, high, hits, impressions)
