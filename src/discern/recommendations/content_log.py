"""Contents in one file that is only added to: what a put costs grows with what is put.

``contents.jsonl`` holds a line for each content, the last one of an id winning, and after the lines
of each put one that says how many they were. What follows the last such line was cut off before its
end and is not there for anybody. When the file has doubled, or ends in such a part, it is written
anew with each content once and takes the other's place: whoever reads the one before has it whole.
"""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any, Final

from discern.errors import InvalidInput
from discern.recommendations.contract import Content, check_id
from discern.recommendations.files import parse_content

CONTENTS_NAME: Final = "contents.jsonl"
LOCK_NAME: Final = "contents.lock.sqlite"
LOCK_SECONDS: Final = 60.0

SLACK_BYTES: Final = 4 * 2**20
"""How far a file may grow beyond the double of what it was when it was last written anew."""

_HEAD: Final = re.compile(rb'\{"format": 2, "file": "[0-9a-f]+"\}\n')
_END: Final = re.compile(rb'\{"end": (\d+), "base": (\d+)\}\n')
_LONGEST_END: Final = 80
_STAGED: Final = ".contents-"

_log = logging.getLogger(__name__)


class ContentLog:
    """The contents of one folder. Many threads and processes may read and add at once.

    ``dropped`` counts the lines of puts cut off before their end that were let go of here.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / CONTENTS_NAME
        self._counted: tuple[bytes, int] = (b"", 0)
        self._ids: set[str] = set()
        self.dropped = 0

    def read(self) -> list[Content]:
        """Every content, in order of its first put.

        Raises:
            InvalidInput: the file is damaged in other ways than by being cut off.
        """
        if not self._path.is_file():
            return []
        with self._path.open("rb") as stream:
            return list(_merged(_puts(stream)).values())

    def add(self, contents: Sequence[Content], *, anew: bool = False) -> None:
        """Adds contents or replaces those with the same id, all or none; they are on the disk when
        this returns. One without a time keeps the time it had. ``anew`` leaves nothing on the disk
        of what was replaced before, and of a damaged file all that can still be read.

        Raises:
            InvalidInput: a text holds half a character, or the file must be written anew and is
                damaged.
            TimeoutError: another process kept the folder locked.
        """
        with self._alone():
            if anew:
                self._write_anew(contents, mending=True)
            else:
                self._add(contents)

    def add_counted(self, contents: Sequence[Content]) -> int:
        """As :meth:`add`; returns how many of the ids were not there before. What is there is kept
        in mind, so that only what others added meanwhile is read."""
        with self._alone():
            self._count()
            new = len({content.id for content in contents} - self._ids)
            self._add(contents)
        return new

    def mark(self) -> int:
        """A number that changes whenever contents are added; 0 before the first."""
        try:
            told = self._path.stat()
        except FileNotFoundError:
            return 0
        return hash((told.st_ino, told.st_size, told.st_mtime_ns)) or 1

    def _add(self, contents: Sequence[Content]) -> None:
        lines = _lines(contents)
        base = self._base()
        if base is None or self._path.stat().st_size + len(lines) > 2 * base + SLACK_BYTES:
            self._write_anew(contents)
            return
        with self._path.open("ab") as stream:
            stream.write(lines + _end(len(contents), base))
            stream.flush()
            os.fsync(stream.fileno())

    def _base(self) -> int | None:
        """How long the file was when it was last written anew; None where it must be now: it is
        not there, is of an older version, or ends in a part that was cut off."""
        if not self._path.is_file():
            return None
        with self._path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LONGEST_END))
            last = stream.read().splitlines(keepends=True)[-1:]
        found = _END.fullmatch(last[0]) if last else None
        return int(found[2]) if found else None

    def _write_anew(self, contents: Sequence[Content], *, mending: bool = False) -> None:
        for forgotten in self._folder.glob(f"{_STAGED}*"):  # of a process that was killed
            forgotten.unlink(missing_ok=True)
        merged: dict[str, Content] = {}
        if self._path.is_file():
            left: list[int] = []
            with self._path.open("rb") as stream:
                merged = _merged(_puts(stream, left, mending=mending))
            if cut := sum(left):
                self.dropped += cut
                _log.warning("%d contents that were cut off or damaged are left out", cut)
        _merge(merged, contents)
        handle, name = tempfile.mkstemp(prefix=_STAGED, dir=self._folder)
        staged = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(b'{"format": 2, "file": "%s"}\n' % secrets.token_hex(8).encode())
                for content in merged.values():
                    stream.write(_lines([content]))
                stream.write(_end(len(merged), stream.tell()))
                stream.flush()
                os.fsync(stream.fileno())
            staged.replace(self._path)
            _sync_folder(self._folder)
        finally:
            staged.unlink(missing_ok=True)

    def _count(self) -> None:
        if not self._path.is_file():
            self._counted, self._ids = (b"", 0), set()
            return
        with self._path.open("rb") as stream:
            head, (known, offset) = stream.readline(), self._counted
            # A file that is put back from a copy may end before what was counted.
            back = offset > os.fstat(stream.fileno()).st_size
            if head != known or back or not _HEAD.fullmatch(head):
                offset, self._ids = 0, set()
            for rows, end in _puts(stream, offset=offset):
                self._ids.update(str(row.get("id")) for row in rows)
                offset = end
        self._counted = (head, offset)

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


def _sync_folder(folder: Path) -> None:
    """Makes the names of a folder's files outlast a power cut, where the system can."""
    try:
        opened = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        with suppress(OSError):
            os.fsync(opened)
    finally:
        os.close(opened)


def _lines(contents: Iterable[Content]) -> bytes:
    try:
        return b"".join(
            (json.dumps(asdict(content), ensure_ascii=False) + "\n").encode()
            for content in contents
        )
    except UnicodeEncodeError:
        raise InvalidInput("A text holds half a character.", field="contents") from None


def _end(count: int, base: int) -> bytes:
    return b'{"end": %d, "base": %d}\n' % (count, base)


def _puts(
    stream: IO[bytes],
    left: list[int] | None = None,
    *,
    offset: int = 0,
    mending: bool = False,
) -> Iterator[tuple[list[dict[str, Any]], int]]:
    """The rows of each put that came to its end, and the place after it. How many whole or half
    lines are left behind the last one is added to ``left``, and with ``mending`` how many of the
    others cannot be read."""
    stream.seek(offset)
    rows: list[dict[str, Any]] = []
    ended = offset > 0  # older versions wrote no ends
    half = unreadable = 0
    for number, line in enumerate(stream):
        offset += len(line)
        if not line.endswith(b"\n"):
            half = 1
        elif number == 0 and not ended and _HEAD.fullmatch(line):
            ended = True
        elif end := _END.fullmatch(line):
            if int(end[1]) != len(rows) and not mending:
                raise InvalidInput(f"'{CONTENTS_NAME}' is damaged.", field=CONTENTS_NAME)
            yield rows, offset
            rows = []
        elif line.strip():
            row = _row(line, mending=mending)
            rows.extend([row] if row is not None else [])
            unreadable += row is None
    if rows and not ended:
        yield rows, offset
        rows = []
    if left is not None:
        left.append(len(rows) + half + unreadable)


def _row(line: bytes, *, mending: bool) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
        if isinstance(row, dict):
            check_id(row.get("id"), field="id")
            return row
    except (ValueError, RecursionError, InvalidInput):
        pass
    if mending:
        return None
    raise InvalidInput(f"'{CONTENTS_NAME}' is damaged.", field=CONTENTS_NAME)


def _merged(puts: Iterable[tuple[list[dict[str, Any]], int]]) -> dict[str, Content]:
    merged: dict[str, Content] = {}
    for rows, _ in puts:
        _merge(merged, (parse_content(row, where=CONTENTS_NAME) for row in rows))
    return merged


def _merge(merged: dict[str, Content], contents: Iterable[Content]) -> None:
    for content in contents:
        known = merged.get(content.id)
        if known is not None and content.created_at is None:
            content = replace(content, created_at=known.created_at)
        merged[content.id] = content
