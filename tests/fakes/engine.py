"""An engine that reads moods off a short word list, with nothing fitted to recommend from."""

from __future__ import annotations

from collections.abc import Sequence

from discern.engine.interface import ModelInfo
from discern.errors import DiscernError, ModelNotFound
from discern.recommendations.contract import (
    Filters,
    RecommendationList,
    RecommendationRequest,
)
from discern.text.contract import Sentiment, check_texts

GOOD = frozenset({"good", "great", "love", "lovely"})
BAD = frozenset({"bad", "awful", "hate", "worst"})


class WordEngine:
    """Implements :class:`discern.engine.interface.Engine`; ``failure`` is raised when set, and
    ``calls`` keeps what was asked."""

    def __init__(self) -> None:
        self.failure: DiscernError | None = None
        self.calls: list[list[str]] = []

    def analyze(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> list[Sentiment]:
        self.calls.append(list(texts))
        if self.failure is not None:
            raise self.failure
        return [_mood(text) for text in check_texts(list(texts))]

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        raise self.failure or ModelNotFound("Nothing was fitted yet.")

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        raise self.failure or ModelNotFound("Nothing was fitted yet.")

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("words", "1.0.0", "sentiment-analysis", "ready")]

    def ready(self) -> bool:
        return self.failure is None

    def close(self) -> None:
        return


def _mood(text: str) -> Sentiment:
    words = text.lower().split()
    counts = {
        "negative": 0.1 + sum(word.strip(".,!?") in BAD for word in words),
        "neutral": 0.2,
        "positive": 0.1 + sum(word.strip(".,!?") in GOOD for word in words),
    }
    total = sum(counts.values())
    scores = {label: count / total for label, count in counts.items()}
    label = max(scores, key=scores.__getitem__)
    return Sentiment(label, scores[label], scores, 1, len(words), "words", "1.0.0")
