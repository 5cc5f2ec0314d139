"""Contents: taken in, replaced, deleted, looked up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import orjson
from django.db import connection, transaction
from django.db.models import Count

from discern.errors import NotFound
from discern.recommendations import contract
from discern.recommendations.contract import check_id
from discern.web.recommendations import mirrors
from discern.web.recommendations.batches import Taken
from discern.web.recommendations.columns import moment, stored
from discern.web.recommendations.mirrors import tell_contents
from discern.web.recommendations.models import Content, UserInteraction


def put_contents(*, contents: Sequence[contract.Content], mirror: bool = True) -> Taken:
    """Adds contents, or replaces those with the same id, all or none. One without a time is new
    now, or keeps the time it had. Without ``mirror`` model servers are not told: they know."""
    latest = {content.id: content for content in contents}
    with transaction.atomic():
        known = set(
            Content.objects.filter(external_id__in=latest).values_list("external_id", flat=True)
        )
        timed = [content for content in latest.values() if content.created_at is not None]
        timeless = [content for content in latest.values() if content.created_at is None]
        _put(timed, [*_REPLACED, "created_at"])
        _put(timeless, _REPLACED)
        if mirror:
            transaction.on_commit(lambda: tell_contents(list(latest.values())), robust=True)
    return Taken(added=len(latest) - len(known), replaced=len(known))


def count_people(contents: Sequence[Content]) -> None:
    """Sets ``people`` of each, how many have met it."""
    rows = (
        UserInteraction.objects.filter(content__in=contents)
        .values("content")
        .annotate(people=Count("person", distinct=True))
    )
    people = {row["content"]: row["people"] for row in rows}
    for content in contents:
        content.people = people.get(content.pk, 0)  # type: ignore[attr-defined]


def _put(contents: Sequence[contract.Content], replaced: Sequence[str]) -> None:
    Content.objects.bulk_create(
        [_content_row(content) for content in contents],
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=replaced,
        batch_size=500,
    )


_REPLACED: Final = ("title", "text", "category", "tags", "available")


def _content_row(content: contract.Content) -> Content:
    return Content(
        external_id=check_id(content.id, field="content_id"),
        title=stored(content.title)[:500],
        text=stored(content.text),
        category=stored(content.category)[:200],
        tags=[stored(tag)[:200] for tag in content.tags],
        created_at=moment(content.created_at),
        available=content.available,
    )


def delete_content(*, external_id: str) -> None:
    """Deletes a content and what was done with it, in the library as well; models stop suggesting
    it and later ones do not learn from it.

    Raises:
        NotFound: no such content.
    """
    content = content_named(external_id)
    content_id = content.external_id
    gone = contract.Content(content_id, available=False)
    with transaction.atomic():
        content.delete()
        # Not after the commit: what only half happened must be tried again as a whole.
        mirrors.library().events.drop_content(content_id)
        transaction.on_commit(lambda: tell_contents([gone]), robust=True)


def content_named(external_id: str) -> Content:
    """One content; NotFound when it is not there."""
    found = Content.objects.filter(external_id=stored(external_id)).first()
    if found is None:
        raise NotFound(f"There is no content '{external_id}'.", field="content_id")
    return found


def contents_by_id(external_ids: Sequence[str]) -> dict[str, Content]:
    """Contents by their ids, in one query."""
    return {
        content.external_id: content
        for content in Content.objects.filter(external_id__in=external_ids)
    }


@dataclass(frozen=True, slots=True)
class Label:
    """What a list shows of a content."""

    external_id: str
    title: str
    category: str
    tags: list[str]

    def __str__(self) -> str:
        return self.title or self.external_id


def labels_by_id(external_ids: Collection[str]) -> dict[str, Label]:
    """What a list shows of contents, by their ids, in one query."""
    wanted = list(dict.fromkeys(external_ids))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LABELS.format(", ".join(["%s"] * len(wanted))), wanted)
        return {
            name: Label(name, title, category, orjson.loads(tags))
            for name, title, category, tags in cursor
        }


_LABELS: Final = (
    "SELECT external_id, title, category, tags FROM recommend_content WHERE external_id IN ({})"
)
