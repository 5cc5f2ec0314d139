"""Keeps a ranker up to date with a library: new contents, and columns that events have changed."""

from __future__ import annotations

from typing import Final

from discern.recommendations.counters import Counters, Scales
from discern.recommendations.library import Library
from discern.recommendations.live import LiveModel, LiveRows
from discern.recommendations.matrices import Ratings, from_interactions
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import Fitted

COLUMNS_A_STEP: Final = 100
SECONDS_A_STEP: Final = 0.25


class Following:
    """One ranker and the library it follows.

    Columns are solved again only for a model fitted on that library (its report names the last
    event it learned from): another model's columns rest on interactions that are not there.
    """

    def __init__(self, ranker: Ranker, fitted: Fitted, library: Library) -> None:
        self._ranker = ranker
        self._fitted = fitted
        self._library = library
        self._contents_mark = -1
        self._live: LiveModel | None = None
        self._learned = int(fitted.report.get("last_event", -1))
        self._refresh_contents(first=True)

    @property
    def waiting(self) -> int:
        """How many columns are still to be solved again."""
        return self._live.waiting if self._live is not None else 0

    def step(self) -> int:
        """Reads on and solves for a bounded time; returns how many columns were solved."""
        self._refresh_contents()
        if self._learned < 0:
            return 0
        if self._live is None:
            self._live = self._begin()
        self._live.catch_up()
        return self._live.resolve(columns=COLUMNS_A_STEP, seconds=SECONDS_A_STEP)

    def _refresh_contents(self, *, first: bool = False) -> None:
        mark = self._library.contents_mark()
        if mark == self._contents_mark:
            return
        self._contents_mark = mark
        known = [*self._fitted.contents] if first else []
        contents = {content.id: content for content in [*known, *self._library.contents()]}
        self._ranker.add_contents(contents.values())

    def _begin(self) -> LiveModel:
        model, catalogue = self._fitted.model, self._ranker.catalogue
        ratings = self._ratings_at_fit()
        features = self._fitted.words.features if self._fitted.words is not None else None
        counters = Counters.of(
            ratings, model.settings, features=features, scales=_scales(self._fitted)
        )
        rows = LiveRows(self._ranker.rows, model.size)
        self._ranker.rows = rows
        return LiveModel(self._library.events, rows, counters, catalogue, after=self._learned)

    def _ratings_at_fit(self) -> Ratings:
        events = self._library.interactions(until=self._learned)
        return from_interactions(events, list(self._fitted.model.contents))


def _scales(fitted: Fitted) -> Scales | None:
    """The fit's own; None for a model of before they were noted."""
    try:
        return Scales(fitted.report["mean_activity"], fitted.report["mean_diagonal"])
    except KeyError:
        return None
