"""Lists that were shown, and what came of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from django.db import connection
from django.utils import timezone

from discern.recommendations import contract
from discern.web.recommendations.models import Impression
from discern.web.storage import SQLITE_SYNCHRONOUS


def note_impression(impression: Impression) -> None:
    """Stores a list that was shown. It survives the death of every process at once, but not always
    a power cut within the next seconds: waiting for the disk would be most of a list's time."""
    fields = Impression._meta.concrete_fields
    values = [
        field.get_db_prep_save(getattr(impression, field.attname), connection) for field in fields
    ]
    with connection.cursor() as cursor, _without_waiting_for_the_disk():
        cursor.execute(_impression_sql(), values)


@contextmanager
def _without_waiting_for_the_disk() -> Iterator[None]:
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    opened: sqlite3.Connection = connection.connection
    opened.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        opened.execute(f"PRAGMA synchronous={SQLITE_SYNCHRONOUS}")


@lru_cache(maxsize=1)
def _impression_sql() -> str:
    columns = [str(field.column) for field in Impression._meta.concrete_fields]
    marks = ", ".join(["%s"] * len(columns))
    into = "INSERT INTO recommend_impression ({}) VALUES ({})"
    return into.format(", ".join(columns), marks)


def note_outcome(impression: UUID, events: list[contract.Interaction]) -> None:
    """Notes the first click and the first like among ``events`` of what the list showed. A dislike
    without reading is no click: it is given from the list, and speaks against it."""
    shown = Impression.objects.filter(pk=impression).select_related("person").first()
    if shown is None:
        return
    mine = [
        event
        for event in events
        if event.person == shown.person.external_id
        and event.content in shown.contents
        and not (event.disliked and event.view_time <= 0)
    ]
    now = timezone.now()
    if mine and shown.clicked_at is None:
        Impression.objects.filter(pk=shown.pk, clicked_at=None).update(clicked_at=now)
    if any(event.liked for event in mine) and shown.liked_at is None:
        Impression.objects.filter(pk=shown.pk, liked_at=None).update(liked_at=now)
