"""What the site counts of its lists: where each one came from."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

SOURCES: Final = ("model", "popular", "precomputed", "newest")

LISTS = Counter(
    "recommendation_lists_total",
    "Lists for a person: of the model, popular (the model's, for somebody who did nothing yet), "
    "precomputed (made ahead, the model server being away), newest (neither, or nothing fitted).",
    ["source"],
)
for _source in SOURCES:
    LISTS.labels(_source)  # at 0 from the start: a rate needs a first value


def listed(source: str, *, unknown: bool) -> None:
    """Counts a list; ``unknown`` says that the person has done nothing yet."""
    LISTS.labels("popular" if source == "model" and unknown else source).inc()
