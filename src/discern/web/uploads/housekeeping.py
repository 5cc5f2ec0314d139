"""Removes what nobody will ask for again: unfinished uploads, old answers, files of no row."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.utils import timezone

from discern.web.uploads import resumable, storing
from discern.web.uploads.models import IdempotentRequest, Round, Upload

KEEP_ANSWERS: Final = timedelta(hours=24)
MIN_AGE: Final = timedelta(hours=1)
"""A file without a row may belong to a request that has not committed yet; after this, not."""


EVERY: Final = timedelta(hours=1)


def clean_if_due() -> dict[str, int]:
    """:func:`clean`, in one process of the site, about once an hour; nothing in the others."""
    now = timezone.now()
    rounds = Round._default_manager
    rounds.get_or_create(name="clean uploads", defaults={"due_at": now})
    won = rounds.filter(name="clean uploads", due_at__lte=now).update(due_at=now + EVERY)
    return clean() if won else {}


def clean() -> dict[str, int]:
    """Does all of it and returns what was removed; any process may, at any time."""
    old = IdempotentRequest._default_manager.filter(created_at__lt=timezone.now() - KEEP_ANSWERS)
    return {
        "unfinished uploads": resumable.expire(),
        "remembered answers": old.delete()[0],
        "files of no upload": _remove_orphans(),
    }


def _remove_orphans() -> int:
    removed = 0
    for shard in _folders("pictures"):
        folders = _ids(_folders(f"pictures/{shard}"))
        # One question for each shard: a large site has many pictures and few orphans.
        known = Upload._default_manager.filter(pk__in=folders).values_list("pk", flat=True)
        for upload_id in folders.keys() - set(known):
            removed += _remove_old(f"pictures/{shard}/{folders[upload_id]}")
    return removed


def _ids(names: Iterable[str]) -> dict[uuid.UUID, str]:
    found = {}
    for name in names:
        with contextlib.suppress(ValueError):
            found[uuid.UUID(hex=name)] = name
    return found


def _remove_old(folder: str) -> int:
    place = storing.storage()
    try:
        files = [f"{folder}/{name}" for name in place.listdir(folder)[1]]
        youngest = max(map(place.get_modified_time, files or [folder]))
    except FileNotFoundError:
        return 0  # somebody else was at it
    if timezone.now() - youngest < MIN_AGE:
        return 0
    storing.remove(files)
    with contextlib.suppress(OSError):
        place.delete(folder)  # of any use on a file system only
    return len(files)


def _folders(path: str) -> list[str]:
    try:
        return sorted(storing.storage().listdir(path)[0])
    except FileNotFoundError:
        return []
