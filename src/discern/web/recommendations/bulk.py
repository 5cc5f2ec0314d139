"""Takes in whole files of contents and interactions, and a library that is older than the site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any, Final, TypeVar

from discern.recommendations import contract
from discern.recommendations.library import is_deleted
from discern.web.recommendations import mirrors
from discern.web.recommendations.batches import Taken
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.interactions import record
from discern.web.recommendations.models import Content

CONTENTS_AT_ONCE: Final = 1_000

INTERACTIONS_AT_ONCE: Final = 500

T = TypeVar("T")


def take_contents(contents: Iterable[contract.Content], *, mirror: bool = True) -> Taken:
    """Adds or replaces contents, part by part.

    Raises:
        InvalidInput: one breaks a rule; the parts before it stay, and the same again changes
            nothing about them.
    """

    def put(part: Sequence[contract.Content]) -> Taken:
        return put_contents(contents=part, mirror=mirror)

    return _in_parts(contents, CONTENTS_AT_ONCE, put)


def take_interactions(events: Iterable[contract.Interaction], *, mirror: bool = True) -> Taken:
    """Records interactions, part by part; raises as :func:`take_contents` does."""

    def put(part: Sequence[contract.Interaction]) -> Taken:
        return record(interactions=part, mirror=mirror)

    return _in_parts(events, INTERACTIONS_AT_ONCE, put)


def take_library() -> tuple[Taken, Taken]:
    """Brings in what was imported into the library on the command line before there was a site.
    What was deleted there stays deleted."""
    library = mirrors.library()
    contents = [row for row in library.contents() if not is_deleted(row)]
    known = set(Content.objects.values_list("external_id", flat=True))
    missing = [row for row in contents if row.id not in known]
    # Nothing is mirrored: the library is where it comes from.
    return (
        take_contents(missing, mirror=False),
        take_interactions(library.interactions(keyed=True), mirror=False),
    )


def _in_parts(rows: Iterable[T], size: int, put: Callable[[Sequence[T]], Taken]) -> Taken:
    counts: Counter[str] = Counter()
    waiting = iter(rows)
    while part := list(islice(waiting, size)):
        counts.update(asdict(put(part)))
    fields: dict[str, Any] = dict(counts)
    return Taken(**fields)
