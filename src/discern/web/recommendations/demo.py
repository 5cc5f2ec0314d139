"""The demo library: short texts written for this project, and readers to learn from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from discern.recommendations import contract
from discern.web.recommendations.batches import MAX_BATCH
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.interactions import record
from discern.web.recommendations.models import Content, UserInteraction

FOLDER: Final = Path(__file__).parent
LIBRARY: Final = FOLDER / "demo_library.jsonl"
READERS: Final = FOLDER / "demo_readers.jsonl"
SECONDS_APART: Final = 60.0


def is_wanted() -> bool:
    """Whether there is room for the demo: whoever has contents of their own, or has deleted some
    of the demo's, is not given it again."""
    return not Content.objects.exists() and not UserInteraction.objects.exists()


def load() -> tuple[int, int]:
    """Puts in the demo's contents and its readers' interactions; again changes nothing. Returns
    how many contents and interactions there are in it."""
    contents = [
        contract.Content(
            id=row["id"],
            title=row["title"],
            text=row["text"],
            category=row["category"],
            tags=tuple(row["tags"]),
        )
        for row in _rows(LIBRARY)
    ]
    put_contents(contents=contents)
    begin = timezone.now().timestamp() - 30 * 86_400
    events = []
    for number, row in enumerate(_rows(READERS) if READERS.is_file() else ()):
        events.append(
            contract.Interaction(
                person=row["person"],
                content=row["content"],
                liked=bool(row.get("liked", False)),
                disliked=bool(row.get("disliked", False)),
                view_time=float(row.get("view_time", 0.0)),
                at=begin + SECONDS_APART * number,
                key=f"demo-{number}",
            )
        )
    for start in range(0, len(events), MAX_BATCH):
        record(interactions=events[start : start + MAX_BATCH])
    return len(contents), len(events)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for line in stream:
            if line.strip():
                yield json.loads(line)
