"""A recommendation model in memory, following what is imported while it answers."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from discern.catalog.manifest import Bundle
from discern.catalog.store import default_home
from discern.engine.options import EngineOptions
from discern.errors import DeadlineExceeded, InferenceFailed
from discern.inference.contract import BatcherStats
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import (
    Filters,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
)
from discern.recommendations.following import Following
from discern.recommendations.fresh import FreshContents
from discern.recommendations.library import Library
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import load_fitted

FOLLOW_EVERY_S: Final = 0.25

_log = logging.getLogger(__name__)


class LoadedRecommender:
    """One bundle's ranker; see :class:`discern.engine.residents.Loaded`.

    A thread reads on in the library under ``$DISCERN_HOME`` four times a second: new contents, and
    the events whose columns are to be solved again. Without a library it only answers.
    """

    def __init__(self, bundle: Bundle, options: EngineOptions) -> None:
        fitted, self.bundle = load_fitted(bundle.folder)
        fresh = FreshContents(fitted.model, fitted.words)
        self._ranker = Ranker(fitted.model, Catalogue(fitted.model.contents), fresh=fresh)
        library = Library(default_home() / "recommendations")
        self._following = Following(self._ranker, fitted, library)
        self._done = 0
        self._failed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="recommender", daemon=True)
        self._thread.start()

    def recommend(
        self, request: RecommendationRequest, deadline: float | None = None
    ) -> RecommendationList:
        """One list; ``deadline`` is a :func:`time.monotonic` instant."""
        return self._listed(self._ranker.recommend(request), deadline)

    def similar(
        self, content: str, n: int, filters: Filters, deadline: float | None = None
    ) -> RecommendationList:
        """Contents like one."""
        return self._listed(self._ranker.similar(content, n, filters), deadline)

    def canary(self, deadline: float | None = None) -> None:
        """A list for somebody unknown must have a line, unless there is nothing to list."""
        found = self.recommend(RecommendationRequest(n=1), deadline)
        if not found.items and self._ranker.model.size:
            raise InferenceFailed("The model suggests nothing to somebody new.")

    def stats(self) -> BatcherStats:
        """What has been done so far; an item is a list."""
        return BatcherStats(
            workers=1,
            queued_items=0,
            queued_cost=0,
            running_items=0,
            expected_wait_s=0.0,
            batches=self._done,
            done=self._done,
            failed=self._failed,
            expired=0,
            cancelled=0,
            refused=0,
        )

    def close(self, *, drain: bool = False) -> None:
        """Stops following."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=10.0)

    def _listed(self, items: list[Recommendation], deadline: float | None) -> RecommendationList:
        if deadline is not None and time.monotonic() > deadline:
            self._failed += 1
            raise DeadlineExceeded("The time for this request ran out.")
        self._done += 1
        manifest = self.bundle.manifest
        return RecommendationList(tuple(items), manifest.name, manifest.version)

    def _follow(self) -> None:
        while not self._stop.is_set():
            began = time.perf_counter()
            try:
                self._following.step()
            except Exception:
                # The model as fitted goes on answering; the next round tries again.
                _log.exception("cannot follow the library")
            self._stop.wait(pause_after(time.perf_counter() - began, self._following.waiting))


def pause_after(seconds: float, waiting: int) -> float:
    """How long to rest after a step of that many seconds: as long as it took while columns wait,
    so that following takes half a core at the most; else until there may be something new."""
    return min(seconds, FOLLOW_EVERY_S) if waiting else FOLLOW_EVERY_S
