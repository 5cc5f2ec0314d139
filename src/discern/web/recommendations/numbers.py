"""What the site counts of its lists and of what it is told: where from, and what became of it."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter

from discern.web.recommendations.batches import Taken

SOURCES: Final = ("model", "popular", "precomputed", "newest")

LISTS = Counter(
    "recommendation_lists_total",
    "Lists for a person: of the model, popular (the model's, for somebody who did nothing yet), "
    "precomputed (made ahead, the model server being away), newest (neither, or nothing fitted).",
    ["source"],
)
for _source in SOURCES:
    LISTS.labels(_source)  # at 0 from the start: a rate needs a first value

OUTCOMES: Final = ("added", "duplicates", "unknown", "late", "out_of_order")

INTERACTIONS = Counter(
    "recommendation_interactions_total",
    "Interactions that were told: added, and among these late (over an hour old) and out_of_order "
    "(older than what was known of the same person and content); duplicates; of unknown contents.",
    ["outcome"],
)
for _outcome in OUTCOMES:
    INTERACTIONS.labels(_outcome)


def told(taken: Taken) -> None:
    """Counts what became of interactions."""
    for outcome in OUTCOMES:
        if count := getattr(taken, outcome):
            INTERACTIONS.labels(outcome).inc(count)


def listed(source: str, *, unknown: bool) -> None:
    """Counts a list; ``unknown`` says that the person has done nothing yet."""
    LISTS.labels("popular" if source == "model" and unknown else source).inc()
