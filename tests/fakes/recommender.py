"""An engine that ranks by title and remembers what it was asked; no model, no numpy."""

from __future__ import annotations

from discern.errors import DiscernError, ModelNotFound, NotFound
from discern.recommendations.contract import (
    Filters,
    Reason,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
)


class ShelfEngine:
    """The recommendation verbs over a fixed shelf of ids; ``models`` have shelves of their own."""

    def __init__(self, shelf: list[str]) -> None:
        self.shelf = shelf
        self.models: dict[str, list[str]] = {}
        self.failure: DiscernError | None = None
        self.requests: list[RecommendationRequest] = []

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        self.requests.append(request)
        if self.failure is not None:
            raise self.failure
        if model is not None and model not in self.models:
            raise ModelNotFound(f"There is no model '{model}'.", field="model")
        shelf = self.shelf if model is None else self.models[model]
        seen = {event.content for event in request.history}.union(request.seen)
        liked = next((e.content for e in reversed(request.history) if e.liked), None)
        reason = Reason("because", content=liked) if liked else Reason("popular")
        kept = [name for name in shelf if name not in seen][: request.n]
        items = [Recommendation(name, 1.0 / (i + 1), reason) for i, name in enumerate(kept)]
        return RecommendationList(tuple(items), "shelf", "1")

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        if self.failure is not None:
            raise self.failure
        if content not in self.shelf:
            raise NotFound(f"There is no content '{content}'.", field="content_id")
        reason = Reason("similar", content=content)
        items = [Recommendation(name, 1.0, reason) for name in self.shelf if name != content]
        return RecommendationList(tuple(items[:n]), "shelf", "1")
