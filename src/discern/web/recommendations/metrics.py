"""Counts how recommending goes: sizes, who knows what, what is shown, which model answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from discern.catalog.store import Store
from discern.errors import DiscernError
from discern.recommendations.contract import TASK
from discern.web.environment import load_environment
from discern.web.recommendations import lists
from discern.web.recommendations.models import Content, Impression, Person, UserInteraction

POPULARITY_POINTS: Final = 200
LISTS_LOOKED_AT: Final = 20_000
MOST_CATEGORIES: Final = 100
BEST_KNOWN: Final = 0.2


def gather(*, experiment: str) -> dict[str, Any]:
    """Everything :class:`RecommendationMetricsSerializer` shows."""
    contents = Content.objects.count()
    known = (
        UserInteraction.objects.values("content")
        .annotate(people=Count("person", distinct=True))
        .order_by("-people")
    )
    return {
        "people": Person.objects.count(),
        "contents": contents,
        "interactions": UserInteraction.objects.count(),
        "likes": UserInteraction.objects.filter(liked=True).count(),
        "shown_contents": len(_shown_lately()),
        "popularity": list(known.values_list("people", flat=True)[:POPULARITY_POINTS]),
        "best_known_share": _share_of_best(known, contents),
        "categories": list(
            Content.objects.values("category")
            .annotate(contents=Count("pk"))
            .order_by("-contents", "category")[:MOST_CATEGORIES]
        ),
        "model": active_model(),
        "arms": lists.compare_arms(experiment=experiment),
    }


def _share_of_best(known: QuerySet[UserInteraction, Any], contents: int) -> float:
    """What the best known fifth of all contents, also those nobody met, has of all meetings."""
    best = known[: max(1, round(contents * BEST_KNOWN))].aggregate(met=Sum("people"))["met"]
    everything = known.aggregate(met=Sum("people"))["met"]
    return best / everything if everything else 0.0


def active_model() -> dict[str, Any] | None:
    """The model that answers, with its fit's report; None before the first fit."""
    try:
        manifest = Store(load_environment().home).active(TASK).manifest
    except DiscernError:
        return None
    return {
        "name": manifest.name,
        "version": manifest.version,
        "bytes": sum(file.bytes for file in manifest.files),
        "report": {name: float(value) for name, value in manifest.quality.items()},
    }


def _shown_lately() -> set[str]:
    week = timezone.now() - timedelta(days=7)
    recent = Impression.objects.filter(created_at__gte=week).order_by("-created_at")
    shown: set[str] = set()
    for contents in recent.values_list("contents", flat=True)[:LISTS_LOOKED_AT].iterator():
        shown.update(contents)
    return shown
