"""What a fit can be told, and what it finds out by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SMALL_MODEL_BYTES: Final = 8_500_000
BYTES_PER_WEIGHT: Final = 6
MOST_NEIGHBOURS: Final = 470
FEWEST_NEIGHBOURS: Final = 64


@dataclass(frozen=True, slots=True)
class Settings:
    """The learning settings of one model; :func:`discern.recommendations.tune.tune` finds them.

    ``neighbours`` is the number of weights kept for each content. ``ridge`` and ``dropout`` are
    those of :class:`~discern.recommendations.solve.Ridge`; ``short_dropout`` is the higher one
    for people with few interactions, and ``short_history`` the length at which both count alike
    (0 turns the second set off). ``against`` is that of Ridge, too: at 0 no content speaks
    against another. ``activity_exponent`` holds back the very active,
    ``popularity_exponent`` the very popular. ``prior`` is the weight of plain popularity for a
    person without history, in units of a typical content's largest weight.
    """

    neighbours: int = 200
    ridge: float = 5.0
    dropout: float = 0.5
    short_dropout: float = 0.95
    short_history: float = 12.0
    activity_exponent: float = 0.5
    neighbour_exponent: float = 0.3
    content_weight: float = 1.0
    popularity_exponent: float = 0.0
    prior: float = 0.3
    dense: bool = False
    against: float = 1.0


def neighbours_for(size: int) -> int:
    """How many neighbours a catalogue of ``size`` contents can afford.

    Small catalogues fit many into a few megabytes; past that, more neighbours buy little, and the
    time of a fit grows with their cube.
    """
    affordable = SMALL_MODEL_BYTES // (BYTES_PER_WEIGHT * max(size, 1))
    floor = 250 if size <= 50_000 else 150 if size <= 250_000 else FEWEST_NEIGHBOURS
    return int(min(max(affordable, floor), MOST_NEIGHBOURS, max(size - 1, 1)))


def sized(settings: Settings, size: int, *, neighbours: int | None = None) -> Settings:
    """``settings`` for a catalogue of ``size`` contents: how many neighbours (as many as it can
    afford, where none are given), and the dense
    solution where they would be all the others and may be below 0. It is the same one then, found
    many times faster; with fewer neighbours than all, the local one ranks better on scarce data."""
    neighbours = neighbours or neighbours_for(size)
    everyone = neighbours >= size - 1
    return replace(settings, neighbours=neighbours, dense=everyone and settings.against >= 1)
