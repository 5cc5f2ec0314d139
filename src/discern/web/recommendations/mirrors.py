"""The library that model servers follow: told of every change, and of everything at once."""

from __future__ import annotations

import logging
import sqlite3
from functools import lru_cache
from pathlib import Path

from discern.recommendations import contract
from discern.recommendations.library import Library
from discern.web.environment import load_environment
from discern.web.recommendations.batches import MAX_BATCH
from discern.web.recommendations.models import Content, UserInteraction

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
        library().events.append(events.values(), keys=events.keys())
    except sqlite3.Error:
        # The database is the truth; the nightly mirror_everything brings these along.
        _log.exception("interactions are stored, but model servers do not see them yet")


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
            library().events.append(part.values(), keys=part.keys())
            part = {}
    library().events.append(part.values(), keys=part.keys())
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
