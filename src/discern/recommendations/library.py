"""Contents and interactions kept in one folder: what the command line imports and fits from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from discern.recommendations.content_log import ContentLog
from discern.recommendations.contract import Content, Interaction, check_contents
from discern.recommendations.event_log import MAX_EVENTS_A_CALL, Accepted, EventLog

EVENTS_NAME = "events.sqlite"


def is_deleted(content: Content) -> bool:
    """Whether that is how a site leaves a content it deleted, for the model servers to see."""
    return replace(content, created_at=None) == Content(content.id, available=False)


class Library:
    """A folder with ``contents.jsonl`` and the event log."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._contents = ContentLog(folder)
        self.events = EventLog(folder / EVENTS_NAME)

    def contents(self) -> list[Content]:
        """Every content, in order of first import."""
        return self._contents.read()

    def put_contents(self, contents: Iterable[Content]) -> tuple[int, int]:
        """Adds contents or replaces those with the same id, all or none; returns how many were
        added and how many replaced. One without a time keeps the time it had. One call at a time
        over all threads and processes: each one reads what the one before it wrote.

        Raises:
            InvalidInput, TooLarge: a bad id, or a text that holds half a character.
        """
        given = check_contents(list(contents))
        added = self._contents.add_counted(given)
        return added, len(given) - added

    def add_contents(self, contents: Iterable[Content], *, anew: bool = False) -> None:
        """As :meth:`put_contents`, without the counting, which keeps every id in memory. ``anew``
        leaves nothing on the disk of what was replaced before, and mends a damaged file."""
        self._contents.add(check_contents(list(contents)), anew=anew)

    @property
    def dropped_contents(self) -> int:
        """How many contents this has let go of since they belong to a put that was cut off."""
        return self._contents.dropped

    def put_interactions(self, interactions: Iterable[Interaction]) -> Accepted:
        """Adds interactions to the log in parts; what is in it already is counted, not added.

        Raises:
            InvalidInput, TooLarge: an event breaks a rule; the parts before it stay, and the
                same import again adds only what is missing.
        """
        accepted = duplicates = late = out_of_order = 0
        waiting = iter(interactions)
        while part := list(islice(waiting, MAX_EVENTS_A_CALL)):
            done = self.events.append(part)
            accepted += done.accepted
            duplicates += done.duplicates
            late += done.late
            out_of_order += done.out_of_order
        return Accepted(accepted, duplicates, late, self.events.last_number(), out_of_order)

    def contents_mark(self) -> int:
        """A number that changes whenever contents are put; 0 before the first."""
        return self._contents.mark()

    def interactions(
        self, *, until: int | None = None, keyed: bool = False
    ) -> Iterator[Interaction]:
        """Every interaction (with a number up to ``until``), in the order it became known;
        ``keyed`` with the keys by which they are known when they are told again."""
        after = 0
        while events := self.events.read(after, keyed=keyed):
            after = events[-1].number
            for event in events:
                if until is not None and event.number > until:
                    return
                if event.interaction is not None:
                    yield event.interaction
