"""Lists without a model: the one made ahead, and the newest contents."""

from __future__ import annotations

from dataclasses import replace

from django.db import connection
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from discern.recommendations.contract import (
    Filters,
    Reason,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
)
from discern.web.recommendations.columns import stored
from discern.web.recommendations.contents import contents_by_id
from discern.web.recommendations.models import (
    Content,
    Person,
    PrecomputedList,
    UserInteraction,
)


def without_model(
    request: RecommendationRequest, person: Person | None
) -> tuple[RecommendationList, str]:
    """A list while no model answers, and its source: the one made ahead or, where there is none or
    the filters leave nothing of it, the newest. Where it is too short the newest end it."""
    ahead = made_ahead(request, person)
    if ahead is None or not ahead.items:
        return newest(request, person), "newest"
    missing = request.n - len(ahead.items)
    if missing > 0:
        listed = tuple(item.content for item in ahead.items)
        filters = replace(request.filters, exclude=(*request.filters.exclude, *listed))
        more = newest(replace(request, n=missing, filters=filters), person)
        ahead = replace(ahead, items=(*ahead.items, *more.items))
    return ahead, "precomputed"


def made_ahead(request: RecommendationRequest, person: Person | None) -> RecommendationList | None:
    """What the filters leave of the person's list made ahead, without what they met since; None
    where none was made."""
    row = PrecomputedList.objects.filter(person=person).first() if person is not None else None
    if row is None:
        return None
    items = [
        Recommendation(item["content"], item["score"], Reason(**item["reason"]))
        for item in row.items
    ]
    seen = _seen(request)
    contents = contents_by_id([item.content for item in items])
    fond = _fond_of(request)
    kept = [
        item if item.reason.content in fond else replace(item, reason=_without(item.reason))
        for item in items
        if item.content in contents and _allowed(contents[item.content], request.filters, seen)
    ]
    return RecommendationList(tuple(kept[: request.n]), row.model_name, row.model_version)


def _fond_of(request: RecommendationRequest) -> set[str]:
    """What in the history may be given as a reason: read or liked, and not disliked since."""
    verdicts: dict[str, bool] = {}
    for event in request.history:  # the newest last
        if event.liked or event.disliked:
            verdicts[event.content] = not event.disliked
    return {event.content for event in request.history if verdicts.get(event.content, True)}


def _without(reason: Reason) -> Reason:
    """What is left of a reason whose content the person has taken back since."""
    return Reason("popular") if reason.kind == "because" else reason


def beside(content: Content, request: RecommendationRequest) -> RecommendationRequest:
    """The request for the others of a content's category."""
    filters = request.filters
    return replace(
        request,
        filters=replace(
            filters,
            categories=filters.categories or (content.category,),
            exclude=(*filters.exclude, content.external_id),
        ),
    )


def newest(request: RecommendationRequest, person: Person | None = None) -> RecommendationList:
    """The newest contents that the filters allow, without what the person met."""
    rows = _filtered(Content.objects.order_by("-created_at", "-id"), request.filters)
    if person is not None and not request.filters.allow_seen:
        met = UserInteraction.objects.filter(person=person).values("content_id")
        rows = rows.exclude(pk__in=met)
    items = [
        Recommendation(name, 0.0, Reason("new", category=category or None))
        for name, category in rows.values_list("external_id", "category")[: request.n]
    ]
    return RecommendationList(tuple(items), "newest", "1")


def _filtered(rows: QuerySet[Content], filters: Filters) -> QuerySet[Content]:
    if not filters.allow_unavailable:
        rows = rows.filter(available=True)
    if filters.categories:
        rows = rows.filter(category__in=[stored(name) for name in filters.categories])
    if filters.exclude:
        rows = rows.exclude(external_id__in=[stored(name) for name in filters.exclude])
    if filters.tags:
        rows = _tagged(rows, [stored(tag) for tag in filters.tags])
    return rows


def _tagged(rows: QuerySet[Content], tags: list[str]) -> QuerySet[Content]:
    if connection.vendor == "postgresql":
        return rows.filter(tags__has_any_keys=tags)
    sql = _ANY_TAG.format(", ".join(["%s"] * len(tags)))
    return rows.filter(RawSQL(sql, tags, output_field=BooleanField()))  # noqa: S611


# SQLite's JSON lookups of Django see the keys of objects, not the members of lists.
_ANY_TAG = "EXISTS (SELECT 1 FROM json_each(recommend_content.tags) WHERE value IN ({}))"


def _allowed(content: Content, filters: Filters, seen: set[str]) -> bool:
    return (
        (content.available or filters.allow_unavailable)
        and (filters.allow_seen or content.external_id not in seen)
        and content.external_id not in filters.exclude
        and (not filters.categories or content.category in filters.categories)
        and (not filters.tags or bool(set(content.tags) & set(filters.tags)))
    )


def _seen(request: RecommendationRequest) -> set[str]:
    return {event.content for event in request.history}.union(request.seen)
