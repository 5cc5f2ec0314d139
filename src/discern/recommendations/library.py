"""Contents and interactions kept in one folder: what the command line imports and fits from."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path

from discern.errors import InvalidInput
from discern.recommendations.contract import Content, Interaction, check_contents
from discern.recommendations.event_log import MAX_EVENTS_A_CALL, Accepted, EventLog
from discern.recommendations.files import parse_content

CONTENTS_NAME = "contents.jsonl"
EVENTS_NAME = "events.sqlite"
LOCK_NAME = "contents.lock.sqlite"
LOCK_SECONDS = 60.0


def _timed(content: Content, known: Mapping[str, Content]) -> Content:
    if content.created_at is not None or content.id not in known:
        return content
    return replace(content, created_at=known[content.id].created_at)


def is_deleted(content: Content) -> bool:
    """Whether that is how a site leaves a content it deleted, for the model servers to see."""
    return replace(content, created_at=None) == Content(content.id, available=False)


class Library:
    """A folder with ``contents.jsonl`` and the event log."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self.events = EventLog(folder / EVENTS_NAME)

    def contents(self) -> list[Content]:
        """Every content, in order of first import."""
        path = self._folder / CONTENTS_NAME
        if not path.is_file():
            return []
        with path.open(encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream if line.strip()]
        return [parse_content(row, where=CONTENTS_NAME) for row in rows]

    def put_contents(self, contents: Iterable[Content]) -> tuple[int, int]:
        """Adds contents or replaces those with the same id, all or none; returns how many were
        added and how many replaced. One without a time keeps the time it had. One call at a time
        over all threads and processes: each one reads what the one before it wrote.

        Raises:
            InvalidInput, TooLarge: a bad id, or a text that holds half a character.
        """
        given = check_contents(list(contents))
        with self._alone():
            known = {content.id: content for content in self.contents()}
            before = len(known)
            known.update((content.id, _timed(content, known)) for content in given)
            self._write(known.values())
        added = len(known) - before
        return added, len(given) - added

    def _write(self, contents: Iterable[Content]) -> None:
        handle, name = tempfile.mkstemp(prefix=".contents-", dir=self._folder)
        staged = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                for content in contents:
                    stream.write(json.dumps(asdict(content), ensure_ascii=False) + "\n")
            staged.replace(self._folder / CONTENTS_NAME)
        except UnicodeEncodeError:
            raise InvalidInput("A text holds half a character.", field="contents") from None
        finally:
            staged.unlink(missing_ok=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Holds the folder's lock; the system lets go of it when a process dies."""
        path = self._folder / LOCK_NAME
        with closing(sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)) as lock:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise TimeoutError(f"Another process kept {path.name} locked.") from error
            yield

    def put_interactions(self, interactions: Iterable[Interaction]) -> Accepted:
        """Adds interactions to the log in parts; what is in it already is counted, not added.

        Raises:
            InvalidInput, TooLarge: an event breaks a rule; the parts before it stay, and the
                same import again adds only what is missing.
        """
        accepted = duplicates = late = 0
        waiting = iter(interactions)
        while part := list(islice(waiting, MAX_EVENTS_A_CALL)):
            done = self.events.append(part)
            accepted += done.accepted
            duplicates += done.duplicates
            late += done.late
        return Accepted(accepted, duplicates, late, self.events.last_number())

    def contents_mark(self) -> int:
        """A number that changes whenever contents are put; 0 before the first."""
        try:
            return (self._folder / CONTENTS_NAME).stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def interactions(self, *, until: int | None = None) -> Iterator[Interaction]:
        """Every interaction (with a number up to ``until``), in the order it became known."""
        after = 0
        while events := self.events.read(after):
            after = events[-1].number
            for event in events:
                if until is not None and event.number > until:
                    return
                if event.interaction is not None:
                    yield event.interaction
