"""Interactions in the order they became known: one numbered, durable log that processes share.

A model server is the fitted bundle and the events after the bundle's number; after a restart it
reads on from the last number it had. Erasing a person deletes their events and leaves a mark
with the contents they met, so that every process that reads the log forgets whoever is no longer in
it and solves those contents' columns again, also one that began after the erasure. Nothing of their
id is in the mark, no digest either: ids can be guessed, and a key would lie beside the log. It goes
with the first fit that learned without them, once :data:`MARK_SECONDS` are over. Taking a verdict
back deletes it and leaves a mark likewise, which goes with its person. What was done with a content
that is deleted goes, too; the mark names the content, and goes as that of an erasure does.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from discern.errors import TooLarge
from discern.recommendations.contract import Interaction, check_id, no_later_than
from discern.recommendations.keys import is_stored, key_of, stored_key, told_again

MAX_EVENTS_A_CALL: Final = 10_000
LATE_SECONDS: Final = 3600.0
BUSY_MS: Final = 10_000
JOURNAL_MS: Final = 1_000
"""How long an erasure waits for others to let go of the journal."""

MARK_SECONDS: Final = 7 * 86_400.0
"""How long the mark of an erasure stays at least: until then every live server has read it."""

_VERSION: Final = 2

_log = logging.getLogger(__name__)

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    kind TEXT NOT NULL,
    person TEXT NOT NULL,
    content TEXT NOT NULL,
    liked INTEGER NOT NULL,
    disliked INTEGER NOT NULL,
    view_time REAL NOT NULL,
    at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS events_pair ON events (person, content);
DROP INDEX IF EXISTS events_person;
"""
# By the version they lead to. The first ones left the digest of the person's id, and no time; the
# next stored a key as it was told, also where it was not the person's alone.
_UPGRADES: Final = {
    1: "UPDATE events SET person = '', at = CAST(strftime('%s', 'now') AS REAL)"
    " WHERE kind = 'erased'",
    2: "UPDATE events SET key = own_key(person, key)"
    " WHERE kind = 'interaction' AND (length(key) <> 64 OR key GLOB '*[^0-9a-f]*')",
}
_INSERT: Final = (
    "INSERT OR IGNORE INTO events"
    " (key, kind, person, content, liked, disliked, view_time, at)"
    " VALUES (?, 'interaction', ?, ?, ?, ?, ?, ?)"
)

_NEWER: Final = (
    "SELECT 1 FROM events WHERE person = ? AND content = ? AND kind = 'interaction' AND at > ?"
    " LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered line of the log: an interaction or, where ``erased``, that a person is to be
    forgotten, ``met`` being the contents that were theirs, or, with ``withdrawn`` set, the person
    and content of a verdict taken back, or, with ``dropped`` set, a content that was deleted."""

    number: int
    interaction: Interaction | None
    erased: bool = False
    withdrawn: tuple[str, str] | None = None
    met: tuple[str, ...] = ()
    dropped: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of the events of one call: ``late`` ones (over an hour old when they came) are
    among the accepted, and so are those ``out_of_order``, older than what was known already of the
    same person and content; ``duplicates`` had a key that was known."""

    accepted: int
    duplicates: int
    late: int
    last_number: int
    out_of_order: int = 0


class _Connection(sqlite3.Connection):
    """Closes itself with the thread it belongs to: nobody else knows when that ends."""

    def __del__(self) -> None:
        self.close()


class EventLog:
    """A log in one SQLite file. Many threads and processes may write and read at once."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        with closing(self._open()) as connection:
            connection.executescript(_SCHEMA)
            if _version(connection) < _VERSION:
                _upgrade(connection)

    def append(
        self, interactions: Iterable[Interaction], *, keys: Iterable[str] | None = None
    ) -> Accepted:
        """Adds interactions, all or none. An event whose key (or, where it has none, all of which)
        is in the log already is not added again. One in the future is stored as of now. ``keys``
        are those of :func:`~discern.recommendations.keys.stored_key`, where they are known.

        Raises:
            InvalidInput: an id is blank or too long.
            TooLarge: over :data:`MAX_EVENTS_A_CALL` events.
        """
        events = list(interactions)
        if len(events) > MAX_EVENTS_A_CALL:
            raise TooLarge(
                f"One call takes up to {MAX_EVENTS_A_CALL:,} events; these are {len(events):,}.",
                field="interactions",
                limit=MAX_EVENTS_A_CALL,
            )
        named = list(keys) if keys is not None else [stored_key(event) for event in events]
        now = time.time()
        # The keys are of the events as told: told again, they are known.
        rows = [
            _row(key, no_later_than(now, event)) for key, event in zip(named, events, strict=True)
        ]
        late = out_of_order = 0
        with self._connection() as connection:
            before = connection.total_changes
            for row, event in zip(rows, events, strict=True):
                added = connection.execute(_INSERT, row).rowcount
                is_older = connection.execute(_NEWER, (row[1], row[2], row[-1])).fetchone()
                out_of_order += int(added > 0 and event.at != 0 and is_older is not None)
                late += int(added > 0 and 0 < event.at < now - LATE_SECONDS)
            accepted = connection.total_changes - before
        return Accepted(accepted, len(events) - accepted, late, self.last_number(), out_of_order)

    def read(
        self, after: int = 0, limit: int = MAX_EVENTS_A_CALL, *, keyed: bool = False
    ) -> list[Event]:
        """The events with a number above ``after``, in order, at most ``limit``; ``keyed`` with the
        keys by which they are known when they are told again."""
        rows = self._connection().execute(
            f"SELECT {_columns(keyed)}"  # noqa: S608
            " FROM events WHERE number > ? ORDER BY number LIMIT ?",
            (after, limit),
        )
        return [_event(row) for row in rows]

    def of_person(
        self, person: str, limit: int | None = None, *, keyed: bool = False
    ) -> list[Interaction]:
        """A person's interactions, newest first; at most ``limit``, or all of them; ``keyed`` as
        :meth:`read`."""
        rows = self._connection().execute(
            f"SELECT {_columns(keyed)} FROM events"  # noqa: S608
            " WHERE person = ? AND kind = 'interaction' ORDER BY at DESC, number DESC LIMIT ?",
            (person, -1 if limit is None else limit),
        )
        return [event.interaction for event in map(_event, rows) if event.interaction]

    def erase(self, person: str) -> int:
        """Deletes a person's events, leaves the mark that tells other processes, and returns how
        many there were. Where there are none, nothing is written: nobody has counted any, and a
        mark that names no contents makes every server look for everyone."""
        with self._connection() as connection:
            # Begun before the reading, so that no other process adds an event in between.
            connection.execute("BEGIN IMMEDIATE")
            met = connection.execute(
                "SELECT DISTINCT content FROM events WHERE person = ? ORDER BY content", (person,)
            ).fetchall()
            gone = connection.execute("DELETE FROM events WHERE person = ?", (person,)).rowcount
            if not gone:
                return 0
            connection.execute(
                "INSERT INTO events (key, kind, person, content, liked, disliked, view_time, at)"
                " VALUES (NULL, 'erased', '', ?, 0, 0, 0, ?)",
                (json.dumps([content for (content,) in met]), time.time()),
            )
        self._empty_journal()
        return gone

    def drop_marks(self, until: int, *, now: float | None = None) -> int:
        """Deletes the marks of erasures and of deleted contents up to a number that are older than
        :data:`MARK_SECONDS`: for when the model that answers learned from the log after them.
        Returns how many."""
        before = (time.time() if now is None else now) - MARK_SECONDS
        with self._connection() as connection:
            gone = connection.execute(
                "DELETE FROM events WHERE kind IN ('erased', 'dropped') AND number <= ? AND at < ?",
                (until, before),
            ).rowcount
        self._empty_journal()  # an erasure may have found somebody reading
        return gone

    def knows(self, person: str, before: int) -> bool:
        """Whether anything with a smaller number than ``before`` is of that person."""
        found = self._connection().execute(
            "SELECT 1 FROM events WHERE person = ? AND number < ? LIMIT 1", (person, before)
        )
        return found.fetchone() is not None

    def withdraw(self, person: str, content: str) -> int:
        """Takes a person's likes and dislikes of a content back and leaves the mark that tells
        other processes; that it was read stays, also where one event says both. Returns how many
        there were; where there are none, nothing is written."""
        of_pair = (
            " WHERE person = ? AND content = ? AND kind = 'interaction' AND (liked OR disliked)"
        )
        with self._connection() as connection:
            gone = connection.execute(
                f"DELETE FROM events{of_pair} AND view_time <= 0",  # noqa: S608
                (person, content),
            ).rowcount
            gone += connection.execute(
                f"UPDATE events SET liked = 0, disliked = 0{of_pair}",  # noqa: S608
                (person, content),
            ).rowcount
            if gone:
                connection.execute(
                    "INSERT INTO events (key, kind, person, content, liked, disliked, view_time,"
                    " at) VALUES (NULL, 'withdrawn', ?, ?, 0, 0, 0, 0)",
                    (person, content),
                )
        return gone

    def drop_content(self, content: str) -> int:
        """Deletes what anybody did with a content, leaves the mark that tells other processes, and
        returns how many events there were; where there are none, nothing is written."""
        with self._connection() as connection:
            # Told by the kind, so that a mark of before does not count as something to delete.
            gone = connection.execute(
                "DELETE FROM events WHERE content = ? AND kind IN ('interaction', 'withdrawn')",
                (content,),
            ).rowcount
            if gone:
                connection.execute(
                    "INSERT INTO events (key, kind, person, content, liked, disliked, view_time,"
                    " at) VALUES (NULL, 'dropped', '', ?, 0, 0, 0, ?)",
                    (content, time.time()),
                )
        if gone:
            self._empty_journal()
        return gone

    def of_pair(self, person: str, content: str, until: int) -> list[Interaction]:
        """What a person did with a content, in the order it became known, up to a number."""
        rows = self._connection().execute(
            f"SELECT {_columns(keyed=False)} FROM events"  # noqa: S608
            " WHERE person = ? AND content = ? AND kind = 'interaction' AND number <= ?"
            " ORDER BY number",
            (person, content, until),
        )
        return [event.interaction for event in map(_event, rows) if event.interaction]

    def last_number(self) -> int:
        """The number of the newest event, 0 for an empty log."""
        row = self._connection().execute("SELECT MAX(number) FROM events").fetchone()
        return int(row[0] or 0)

    def _empty_journal(self) -> None:
        """Leaves nothing of deleted rows in the file beside the log, which keeps each page as it
        was written until a later one takes its place."""
        connection = self._connection()
        connection.execute(f"PRAGMA busy_timeout = {JOURNAL_MS}")
        try:
            # Busy or not, the rows are gone: whoever reads for so long only puts this off.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError:
            _log.warning("the log's journal could not be emptied yet", exc_info=True)
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def close(self) -> None:
        """Closes this thread's connection; other threads close theirs."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            self._local.connection = connection
        return connection

    def _open(self) -> sqlite3.Connection:
        # Each thread has its own; only its end may be noticed by another one.
        connection = sqlite3.connect(
            self._path, timeout=BUSY_MS / 1000, factory=_Connection, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _upgrade(connection: sqlite3.Connection) -> None:
    connection.create_function("own_key", 2, key_of, deterministic=True)
    with connection:
        # Begun before the reading, so that another process has it behind it or not begun.
        connection.execute("BEGIN IMMEDIATE")
        for version in range(_version(connection) + 1, _VERSION + 1):
            connection.execute(_UPGRADES[version])
        connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _columns(keyed: bool) -> str:
    return "number, kind, person, content, liked, disliked, view_time, at" + ", key" * keyed


def _row(key: str, event: Interaction) -> tuple[object, ...]:
    return (
        key,
        check_id(event.person, field="user_id"),
        check_id(event.content, field="content_id"),
        int(event.liked),
        int(event.disliked),
        float(event.view_time),
        float(event.at),
    )


def _event(row: tuple[Any, ...]) -> Event:
    number, kind, person, content, liked, disliked, view_time, at, *key = row
    if kind == "erased":
        # A mark of an older version names no contents.
        return Event(number, None, erased=True, met=tuple(json.loads(content or "[]")))
    if kind == "withdrawn":
        return Event(number, None, withdrawn=(person, content))
    if kind == "dropped":
        return Event(number, None, dropped=content)
    told = told_again(key[0]) if key and is_stored(key[0] or "") else ""
    return Event(
        number, Interaction(person, content, bool(liked), bool(disliked), view_time, at, told)
    )
