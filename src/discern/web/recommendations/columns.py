"""Texts and moments as the database has them."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone

from discern.errors import InvalidInput


def moment(seconds: float | None) -> datetime:
    """Seconds since 1970 as the database has them, now for None; InvalidInput outside the years
    1 to 9999."""
    if seconds is None:
        return timezone.now()
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, OSError, ValueError):
        raise InvalidInput("'created_at' is no moment in time.", field="created_at") from None


def stored(text: str) -> str:
    """The text as it can be stored, or looked up: PostgreSQL takes every character but NUL."""
    return text.replace("\x00", "\ufffd")
