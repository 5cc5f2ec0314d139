"""Reads contents and interactions from CSV, JSON Lines or Parquet files, streamed."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, repeat
from pathlib import Path
from typing import IO, Any, Final

from discern import delimited
from discern.errors import InvalidInput
from discern.recommendations.contract import (
    MAX_TAGS,
    MAX_VIEW_SECONDS,
    Content,
    Interaction,
    check_id,
)
from discern.recommendations.keys import check_key
from discern.recommendations.parquet import read_parquet

CONTENT_NAMES: Final = ("content_id", "id", "item_id", "external_id")
PERSON_NAMES: Final = ("user_id", "person", "person_id", "user")
INTERACTED_NAMES: Final = ("content_id", "content", "item_id", "item")
TIME_NAMES: Final = ("created_at", "at", "timestamp")
VERDICT_NAMES: Final = ("liked", "disliked", "view_time")
TRUE_WORDS: Final = frozenset({"1", "1.0", "true", "yes", "t", "y"})
FALSE_WORDS: Final = frozenset({"", "0", "0.0", "false", "no", "f", "n", "null", "none"})
COLUMNS: Final = frozenset(
    (*CONTENT_NAMES, *PERSON_NAMES, *INTERACTED_NAMES, *TIME_NAMES, *VERDICT_NAMES)
) | {"title", "text", "category", "tags", "available", "key"}
"""Every column that is read of contents or interactions."""

MAX_FIELD_CHARS: Final = 10_000_000

Row = Mapping[str, Any]


def read_contents(path: Path | str) -> Iterator[Content]:
    """The contents of a file with the columns ``content_id`` and any of ``title``, ``text``,
    ``category``, ``tags`` (separated by ``|``), ``created_at``, ``available``.

    Raises:
        InvalidInput: no such file, a missing column or a bad value; the message names the row.
        TooLarge: Parquet that unpacks to more than :mod:`~discern.recommendations.parquet` takes.
        MissingExtra: Parquet without pyarrow.
    """
    for number, row in enumerate(read_rows(Path(path)), 1):
        yield parse_content(row, where=f"row {number} of '{Path(path).name}'")


def read_interactions(path: Path | str) -> Iterator[Interaction]:
    """The interactions of a file with the columns ``user_id``, ``content_id`` and any of
    ``liked``, ``disliked``, ``view_time``, ``created_at``, ``key``. Without the first three of
    those every row counts as a like.

    Raises:
        InvalidInput: no such file, a missing column or a bad value; the message names the row.
        TooLarge: Parquet that unpacks to more than :mod:`~discern.recommendations.parquet` takes.
        MissingExtra: Parquet without pyarrow.
    """
    for number, row in enumerate(read_rows(Path(path)), 1):
        yield parse_interaction(row, where=f"row {number} of '{Path(path).name}'")


def parse_content(row: Row, *, where: str) -> Content:
    """One content from a row of plain values; ``where`` names the row in errors."""
    return Content(
        id=check_id(_pick(row, CONTENT_NAMES, where), field=f"content_id in {where}"),
        title=_text(row.get("title")),
        text=_text(row.get("text")),
        category=_text(row.get("category")),
        tags=_tags(row.get("tags")),
        created_at=_optional_time(row, where),
        available=_flag(_told(row, "available", default=True), "available", where),
    )


def parse_interaction(row: Row, *, where: str) -> Interaction:
    """One interaction from a row of plain values; ``where`` names the row in errors. Both liked and
    disliked is refused: nobody knows which of the two was meant."""
    told = any(name in row for name in VERDICT_NAMES)
    liked = _flag(row.get("liked"), "liked", where) if told else True
    disliked = _flag(row.get("disliked"), "disliked", where)
    if liked and disliked:
        raise InvalidInput(f"{where} is both liked and disliked.", field="disliked")
    return Interaction(
        person=check_id(_pick(row, PERSON_NAMES, where), field=f"user_id in {where}"),
        content=check_id(_pick(row, INTERACTED_NAMES, where), field=f"content_id in {where}"),
        liked=liked,
        disliked=disliked,
        view_time=_seconds(row.get("view_time"), where),
        at=_optional_time(row, where) or 0.0,
        key=check_key(row.get("key"), where=where),
    )


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a ``.csv``, ``.jsonl`` (either may end in ``.gz``) or ``.parquet`` file."""
    if not path.is_file():
        raise InvalidInput(f"There is no file '{path}'.", field="input")
    endings = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    reader = _READERS.get(endings[-1] if endings else "")
    if reader is None:
        raise InvalidInput(
            f"Cannot tell the format of '{path.name}'; known endings: {', '.join(_READERS)}.",
            field="input",
        )
    try:
        yield from reader(path)
    except (UnicodeDecodeError, csv.Error, EOFError, OSError, zlib.error) as error:
        raise InvalidInput(f"'{path.name}' is not readable: {error}.", field="input") from error


def csv_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """The rows of CSV.

    Raises:
        csv.Error: not CSV, a quote that is never closed, or a field of more than
            :data:`MAX_FIELD_CHARS` characters.
    """
    for values in delimited.csv_rows(lines):
        if values and max(map(len, values)) > MAX_FIELD_CHARS:
            raise csv.Error(f"a field has more than {MAX_FIELD_CHARS:,} characters")
        yield values


def _read_csv(path: Path) -> Iterator[Row]:
    with _open(path) as stream:
        reader = csv_rows(stream)
        names = [name.strip().lower() for name in next(reader, [])]
        for values in reader:
            if values:
                # A row that ends early says nothing in the rest, unlike a file without the columns.
                yield dict(zip(names, chain(values, repeat("")), strict=False))


def _read_jsonl(path: Path) -> Iterator[Row]:
    with _open(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if "\\ud" in line.lower():
                    json.dumps(row, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                raise InvalidInput(
                    f"Line {number} of '{path.name}' holds half a character.", field="input"
                ) from None
            except (ValueError, RecursionError) as error:
                raise InvalidInput(f"Line {number} of '{path.name}' is not JSON.") from error
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} of '{path.name}' is not an object.")
            yield row


def _read_parquet(path: Path) -> Iterator[Row]:
    yield from read_parquet(path, name=path.name, columns=COLUMNS)


_READERS: Final[dict[str, Callable[[Path], Iterator[Row]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".parquet": _read_parquet,
}


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _pick(row: Row, names: tuple[str, ...], where: str) -> Any:
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise InvalidInput(f"{where} has no '{names[0]}'.", field=names[0])


def _told(row: Row, name: str, *, default: object) -> object:
    value = row.get(name)
    return default if value is None or value == "" else value


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


def _tags(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else _text(value).split("|")
    tags = [str(part).strip() for part in parts if part is not None]
    return tuple(dict.fromkeys(tag for tag in tags if tag))[:MAX_TAGS]


def _flag(value: object, name: str, where: str) -> bool:
    word = str(value).strip().lower() if value is not None else ""
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise InvalidInput(f"'{name}' in {where} must be true or false.", field=name)


def _seconds(value: object, where: str) -> float:
    if value is None or value == "":
        return 0.0
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise InvalidInput(
            f"'view_time' in {where} must be a number of seconds.", field="view_time"
        )
    return min(seconds, MAX_VIEW_SECONDS)


def _optional_time(row: Row, where: str) -> float | None:
    value = next((row[name] for name in TIME_NAMES if row.get(name) not in (None, "")), None)
    return None if value is None else parse_time(value, where)


def parse_time(value: object, where: str) -> float:
    """Seconds since 1970 from a number of seconds, a datetime or an ISO 8601 text (UTC where no
    zone is given)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        seconds = float(str(value))
    except ValueError:
        try:
            return parse_time(datetime.fromisoformat(str(value)), where)
        except ValueError:
            seconds = math.nan
    if not math.isfinite(seconds):
        raise InvalidInput(f"The time in {where} is not readable.", field="created_at")
    return seconds
