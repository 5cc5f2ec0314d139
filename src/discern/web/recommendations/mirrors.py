"""The library that model servers follow: told of every change, and of everything at once."""

from __future__ import annotations

import logging
import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.db import transaction

from discern.recommendations import contract
from discern.recommendations.library import Library
from discern.web.environment import load_environment
from discern.web.recommendations.batches import MAX_BATCH
from discern.web.recommendations.models import Content, Person, UserInteraction

_log = logging.getLogger(__name__)


@lru_cache(maxsize=4)
def library_in(folder: str) -> Library:
    """The folder that model servers follow."""
    return Library(Path(folder))


def library() -> Library:
    """The library under ``DISCERN_HOME``."""
    home = load_environment().home.expanduser()
    return library_in(str(home / "recommendations"))


def tell_contents(contents: list[contract.Content]) -> None:
    """Tells model servers; a disk that fails keeps nothing from being stored in the database."""
    try:
        library().add_contents(contents)
    except OSError:
        _log.exception("contents are stored, but model servers do not see them yet")


def tell_interactions(events: dict[str, contract.Interaction]) -> None:
    """As :func:`tell_contents`; ``events`` by their keys."""
    try:
        _append(events)
    except sqlite3.Error:
        # The database is the truth; the nightly mirror_everything brings these along.
        _log.exception("interactions are stored, but model servers do not see them yet")


def _append(events: dict[str, contract.Interaction]) -> None:
    """Adds stored events to the log. It is told after they were stored, when their person may have
    been erased, the content deleted, or the verdict taken back: what is no longer stored then does
    not stay there."""
    log = library().events
    if not log.append(events.values(), keys=events.keys()).accepted:
        return
    with transaction.atomic():
        # Also waits for an erasure that has the log behind it and its commit still before it. On
        # SQLite, beginning to write waits.
        rows = UserInteraction.objects.select_for_update().filter(key__in=events).order_by("pk")
        stored = {key: liked or disliked for key, liked, disliked in rows.values_list(*_VERDICT)}
    lost = {
        (event.person, event.content)
        for key, event in events.items()
        if not stored.get(key, False) and (key not in stored or event.liked or event.disliked)
    }
    if not lost:
        return
    people = {person for person, _ in lost}
    there = Person.objects.filter(external_id__in=people).values_list("external_id", flat=True)
    for person in people.difference(there):
        log.erase(person)
    contents = {content for _, content in lost}
    left = Content.objects.filter(external_id__in=contents).values_list("external_id", flat=True)
    for content in contents.difference(left):
        log.drop_content(content)
    for pair in lost:
        log.withdraw(*pair)


_VERDICT: Final = ("key", "liked", "disliked")


def mirror_everything() -> tuple[int, int]:
    """Writes every content and interaction to the library, where they are missing: for a library
    that was lost or put on a new disk. Returns how many of each there are."""
    contents = [content_of(row) for row in Content.objects.iterator()]
    library().add_contents(contents, anew=True)
    count = 0
    part: dict[str, contract.Interaction] = {}
    for row in (
        UserInteraction.objects.select_related("person", "content").order_by("id").iterator()
    ):
        part[row.key] = interaction_of(row)
        count += 1
        if len(part) == MAX_BATCH:
            _append(part)
            part = {}
    _append(part)
    return len(contents), count


def content_of(row: Content) -> contract.Content:
    """The row as the core has it."""
    return contract.Content(
        id=row.external_id,
        title=row.title,
        text=row.text,
        category=row.category,
        tags=tuple(row.tags),
        created_at=row.created_at.timestamp(),
        available=row.available,
    )


def interaction_of(row: UserInteraction) -> contract.Interaction:
    """The row as the core has it."""
    return contract.Interaction(
        person=row.person.external_id,
        content=row.content.external_id,
        liked=row.liked,
        disliked=row.disliked,
        view_time=row.view_time,
        at=row.created_at.timestamp(),
    )
