"""The verbs every engine answers; a caller cannot tell a local engine from a remote one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from discern.recommendations.contract import (
    Filters,
    RecommendationList,
    RecommendationRequest,
)
from discern.text.contract import Sentiment
from discern.vision.contract import DEFAULT_THRESHOLD, DetectionResult, TextResult

SENTIMENT_TASK = "sentiment-analysis"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model an engine knows. ``state`` is ``ready``, ``loading``, ``failed`` or
    ``available`` (known but not loaded); ``reason`` says why when it is not ready."""

    name: str
    version: str
    task: str
    state: str
    reason: str | None = None


@runtime_checkable
class Engine(Protocol):
    """Raises errors of :mod:`discern.errors` only, the same ones whichever carrier is used.

    ``deadline_s`` is the caller's remaining time in seconds; work not begun by then is dropped
    and :class:`~discern.errors.DeadlineExceeded` raised. ``model`` names a model or is None for
    the active one of the task. All methods may be called from many threads at once.
    """

    def analyze(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> list[Sentiment]:
        """The mood of each text, in order."""
        ...

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        deadline_s: float | None = None,
    ) -> DetectionResult:
        """The objects in a picture (a whole file), best first, at or above ``threshold``.

        Raises:
            ModelNotReady: no detector is installed; without ``retry_after_s`` waiting is no help.
        """
        ...

    def read_text(
        self, image: bytes, *, model: str | None = None, deadline_s: float | None = None
    ) -> TextResult:
        """The text in a picture (a whole file), in reading order."""
        ...

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """A list for someone with that history, every line with its reason.

        Raises:
            ModelNotFound: no model was fitted yet.
        """
        ...

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """Contents that go with one.

        Raises:
            NotFound: the model knows no such content.
        """
        ...

    def models(self) -> list[ModelInfo]:
        """Every model this engine knows, loaded or not."""
        ...

    def ready(self) -> bool:
        """True when a real canary inference of every required model has passed."""
        ...

    def close(self) -> None:
        """Releases models or connections; calling it twice is harmless."""
        ...
