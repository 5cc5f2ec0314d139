"""What a request may bring at once, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from discern.errors import InvalidInput, TooLarge

MAX_BATCH: Final = 1_000
"""The most contents or interactions in one request; files take more."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch. ``late`` ones (over an hour old) are among the ``added``, and so are
    those ``out_of_order``, older than what was known already of the same person and content;
    ``unknown`` ones name a content that is not there, and were left out."""

    added: int = 0
    replaced: int = 0
    duplicates: int = 0
    unknown: int = 0
    late: int = 0
    out_of_order: int = 0


def check_batch(items: Sequence[object], *, field: str) -> None:
    """Raises TooLarge over :data:`MAX_BATCH` items, InvalidInput for none."""
    if not items:
        raise InvalidInput(f"'{field}' is empty.", field=field)
    if len(items) > MAX_BATCH:
        raise TooLarge(
            f"'{field}' holds {len(items):,}; the limit is {MAX_BATCH:,}. Send more as a file.",
            field=field,
            limit=MAX_BATCH,
        )
