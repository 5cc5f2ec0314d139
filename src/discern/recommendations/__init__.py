"""What a person would like next: learns item-item weights from interactions and content, ranks
by a sparse sum over somebody's recent interactions, and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from discern.recommendations.contract import (
    Content,
    Filters,
    Interaction,
    Reason,
    Recommendation,
    RecommendationRequest,
)

if TYPE_CHECKING:
    from discern.recommendations.recommender import Recommender

__all__ = [
    "Content",
    "Filters",
    "Interaction",
    "Reason",
    "Recommendation",
    "RecommendationRequest",
    "Recommender",
]


def __getattr__(name: str) -> Any:
    # The contract must be importable by a process that holds no model and no numpy.
    if name == "Recommender":
        from discern.errors import MissingExtra

        try:
            from discern.recommendations.recommender import Recommender
        except ImportError as error:
            raise MissingExtra(
                "Recommendations need scipy and scikit-learn: pip install "
                "'discern[recommendations]'."
            ) from error
        return Recommender
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
