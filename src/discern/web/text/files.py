"""Reads files of texts: CSV and JSON Lines, their columns and rows, within limits.

Knows nothing of tables or requests; whatever is wrong with one row is that row's error alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from discern.delimited import csv_rows
from discern.errors import EmptyInput, InvalidInput, TooLarge

CHUNK_ROWS: Final = 128
"""Rows worked on and stored together."""

MAX_COLUMNS: Final = 500
DELIMITERS: Final = ",;\t|"
FORMATS: Final = ("csv", "jsonl")

_QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its ``cells`` in column order, and its text, or why there is none."""

    cells: list[str]
    text: str | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is read. ``columns`` are its column names in order."""

    format: str
    columns: list[str]
    column: str
    has_header: bool = True
    delimiter: str = ","


def decode(content: bytes) -> str:
    """The file's characters.

    Raises:
        InvalidInput: neither UTF-8 nor UTF-16 with its mark.
        EmptyInput: nothing in it.
    """
    utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"The file is not UTF-8: byte {error.start:,} does not belong there. "
            "Save it as UTF-8 and send it again.",
            field="file",
        ) from None
    if not text.strip():
        raise EmptyInput("The file is empty.", field="file")
    return text


def guess_format(name: str, text: str) -> str:
    """``jsonl`` by the name's ending or a first line that is a JSON object, else ``csv``."""
    if name.lower().endswith((".jsonl", ".ndjson")):
        return "jsonl"
    first = text.lstrip()[:1]
    return "jsonl" if first == "{" and not name.lower().endswith(".csv") else "csv"


def read_layout(text: str, *, format: str, column: str = "", has_header: bool = True) -> Layout:
    """Finds the columns and the one that holds the texts.

    Raises:
        InvalidInput: there is no such column, or it must be named; the message lists them.
        TooLarge: more than :data:`MAX_COLUMNS` columns.
    """
    delimiter = ","
    if format == "jsonl":
        columns = _jsonl_columns(text)
    else:
        delimiter = _guess_delimiter(text)
        first = next(_csv_rows(text, delimiter), [])
        columns = _unique(first) if has_header else [str(n + 1) for n in range(len(first))]
    if len(columns) > MAX_COLUMNS:
        raise TooLarge(
            f"The file has {len(columns):,} columns; the limit is {MAX_COLUMNS}.",
            field="file",
            limit=MAX_COLUMNS,
        )
    return Layout(format, columns, _choose(columns, column), has_header, delimiter)


def read_rows(text: str, layout: Layout, *, closed: bool = True) -> Iterator[Row]:
    """Every row that is not an empty line, in order.

    Raises:
        InvalidInput: not CSV, or, unless ``closed`` is False, a quote in it is never closed.
    """
    if layout.format == "jsonl":
        for line in text.split("\n"):
            if line.strip():
                yield _jsonl_row(line, layout)
        return
    rows = _csv_rows(text, layout.delimiter, closed=closed)
    if layout.has_header:
        next(rows, None)
    at = layout.columns.index(layout.column)
    width = len(layout.columns)
    for cells in rows:
        while len(cells) > width and not cells[-1]:
            cells.pop()
        if len(cells) > width == 1:
            # Nobody who wrote one column meant its commas to part it.
            text = layout.delimiter.join(cells)
            yield Row([text], text)
        elif len(cells) > width:
            problem = (
                f"The row has {len(cells)} cells for {width} columns; a text that holds "
                f"{layout.delimiter!r} needs quotes around it."
            )
            yield Row(cells, cells[at], problem)
        elif len(cells) > at:
            yield Row(cells, cells[at])
        else:
            yield Row(cells, None, f"The row has only {len(cells)} of the columns.")


def count_rows(text: str, layout: Layout, *, limit: int) -> int:
    """How many rows there are.

    Raises:
        EmptyInput: none. TooLarge: more than ``limit``. InvalidInput: as :func:`read_rows`.
    """
    count = 0
    for _ in read_rows(text, layout):
        count += 1
        if count > limit:
            raise TooLarge(
                f"The file has more than {limit:,} rows, the limit; split it.",
                field="file",
                limit=limit,
            )
    if not count:
        raise EmptyInput("The file has no rows below its header.", field="file")
    return count


def _csv_rows(text: str, delimiter: str, *, closed: bool = True) -> Iterator[list[str]]:
    rows = csv_rows(io.StringIO(text, newline=""), delimiter=delimiter, closed=closed)
    try:
        for cells in rows:
            if cells and cells != [""]:
                yield cells
    except csv.Error as error:
        raise InvalidInput(f"The file is not CSV: {error}.", field="file") from None


def _guess_delimiter(text: str) -> str:
    line = text.lstrip("\r\n ").split("\n", 1)[0]
    return max(DELIMITERS, key=_QUOTED.sub("", line).count)


def _jsonl_row(line: str, layout: Layout) -> Row:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Row([line], None, "The line is not JSON.")
    if isinstance(value, str):
        return Row([value], value)
    if not isinstance(value, dict):
        return Row([line], None, "The line is neither an object nor a string.")
    cells = [_cell(value.get(name)) for name in layout.columns]
    text = value.get(layout.column)
    if not isinstance(text, str):
        return Row(cells, None, f"'{layout.column}' is missing or not a string.")
    return Row(cells, text)


def _jsonl_columns(text: str) -> list[str]:
    found: dict[str, None] = {}
    for line in text.split("\n"):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        found |= dict.fromkeys(value if isinstance(value, dict) else ["text"])
        if len(found) > MAX_COLUMNS:
            break
    if not found:
        raise InvalidInput("No line of the file is JSON.", field="file")
    return list(found)


def _cell(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _unique(names: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for at, name in enumerate(names):
        base = name.strip() or str(at + 1)
        seen[base] = seen.get(base, 0) + 1
        unique.append(base if seen[base] == 1 else f"{base} ({seen[base]})")
    return unique


def _choose(columns: list[str], wanted: str) -> str:
    if wanted:
        if wanted in columns:
            return wanted
    elif "text" in columns:
        return "text"
    elif len(columns) == 1:
        return columns[0]
    listed = ", ".join(repr(name) for name in columns[:20])
    what = f"There is no column {wanted!r}" if wanted else "Name the column that holds the texts"
    raise InvalidInput(f"{what}; the file has {listed}.", field="column")
