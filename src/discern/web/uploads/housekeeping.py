"""Removes what nobody will ask for again: unfinished uploads, old answers, files of no row."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Final

from django.utils import timezone

from discern.web.uploads import resumable, storing
from discern.web.uploads.models import IdempotentRequest, Upload

KEEP_ANSWERS: Final = timedelta(hours=24)
MIN_AGE: Final = timedelta(hours=1)
"""A file without a row may belong to a request that has not committed yet; after this, not."""


def clean() -> dict[str, int]:
    """Does all of it and returns what was removed; any process may, at any time."""
    old = IdempotentRequest._default_manager.filter(created_at__lt=timezone.now() - KEEP_ANSWERS)
    return {
        "unfinished uploads": resumable.expire(),
        "remembered answers": old.delete()[0],
        "files of no upload": _remove_orphans(),
    }


def _remove_orphans() -> int:
    place = storing.storage()
    removed = 0
    for shard in _folders("pictures"):
        for name in _folders(f"pictures/{shard}"):
            folder = f"pictures/{shard}/{name}"
            if not _is_orphan(folder, name):
                continue
            for file in place.listdir(folder)[1]:
                place.delete(f"{folder}/{file}")
                removed += 1
    return removed


def _is_orphan(folder: str, name: str) -> bool:
    try:
        upload_id = uuid.UUID(hex=name)
    except ValueError:
        return False
    place = storing.storage()
    files = place.listdir(folder)[1]
    youngest = max((place.get_modified_time(f"{folder}/{file}") for file in files), default=None)
    if youngest is None or timezone.now() - youngest < MIN_AGE:
        return False
    return not Upload._default_manager.filter(pk=upload_id).exists()


def _folders(path: str) -> list[str]:
    try:
        return sorted(storing.storage().listdir(path)[0])
    except FileNotFoundError:
        return []
