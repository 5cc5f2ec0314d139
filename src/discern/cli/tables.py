"""Reads and writes tables of texts: CSV, JSON Lines, plain lines, and Parquet with its extra."""

from __future__ import annotations

import codecs
import csv
import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from discern.delimited import csv_rows
from discern.errors import InvalidInput, MissingExtra
from discern.recommendations.parquet import read_parquet

Row = dict[str, Any]
FORMATS: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".txt": "lines",
    ".parquet": "parquet",
}
LINE_COLUMN: Final = "text"
DELIMITERS: Final = ",;\t|"


class BrokenRow(dict[str, Any]):
    """A row that was read but cannot be trusted; ``problem`` says why, for people."""

    def __init__(self, row: Mapping[str, Any], problem: str) -> None:
        super().__init__(row)
        self.problem = problem


def format_of(path: Path, *, field: str = "input") -> str:
    """The format by the file's ending, ``.gz`` set aside.

    Raises:
        InvalidInput: an ending that is not known; the message lists those that are.
    """
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    found = FORMATS.get(suffixes[-1].lower()) if suffixes else None
    if found is None:
        raise InvalidInput(
            f"Cannot tell the format of '{path.name}'; known endings: {', '.join(FORMATS)}.",
            field=field,
        )
    return found


def check_source(path: Path) -> str:
    """The format of a table that can be opened.

    Raises:
        InvalidInput: there is no such file, or its ending is not known.
    """
    if not path.is_file():
        raise InvalidInput(f"There is no file '{path}'.", field="input")
    return format_of(path)


def check_target(path: Path) -> None:
    """Looks whether a table can be put there, before the work that fills it.

    Raises:
        InvalidInput: its folder does not exist, it is a folder itself, or it has no known ending.
    """
    check_folder(path)
    format_of(path, field="output")


def check_folder(path: Path) -> None:
    """Looks whether a file of any kind can be put there.

    Raises:
        InvalidInput: its folder does not exist, or it is a folder itself.
    """
    if not path.parent.is_dir():
        raise InvalidInput(f"There is no folder '{path.parent}' to write to.", field="output")
    if path.is_dir():
        raise InvalidInput(f"'{path}' is a folder; give a file to write to.", field="output")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a table, one dict for each, streamed.

    Raises:
        InvalidInput: the file does not exist or breaks its format; the message names the line.
        TooLarge: Parquet that unpacks to more than :mod:`~discern.recommendations.parquet` takes.
        MissingExtra: Parquet without pyarrow.
    """
    kind = check_source(path)
    if kind == "parquet":
        yield from map(dict, read_parquet(path, name=path.name, columns=None))
        return
    read = {"csv": _read_csv, "jsonl": _read_jsonl, "lines": _read_lines}[kind]
    try:
        with _open_text(path) as stream:
            yield from read(stream)
    except UnicodeError as error:
        raise InvalidInput(
            f"'{path.name}' is not UTF-8 text: {error}. Save it as UTF-8.", field="input"
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InvalidInput(
            f"'{path.name}' is not a whole gzip file: {error}.", field="input"
        ) from error
    except csv.Error as error:
        raise InvalidInput(f"'{path.name}' is not readable CSV: {error}.", field="input") from error


def write_rows(path: Path, rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Writes a table in the format of the path's ending, replacing it in one step.

    A CSV or Parquet file has ``columns``, whichever of them a row has; JSON Lines are written as
    the rows are.

    Raises:
        InvalidInput: the ending is not known, or Parquet has no type for what a column holds.
        MissingExtra: Parquet without pyarrow.
    """
    kind = format_of(path)
    staged = path.with_name(f".{path.name}.writing{path.suffix}")
    if kind == "parquet":
        _write_parquet(staged, rows, columns)
    else:
        opener = gzip.open if path.suffix == ".gz" else open
        # Half of a surrogate pair has no UTF-8; so escaped it is what JSON writes for it.
        with opener(staged, "wt", encoding="utf-8", newline="", errors="backslashreplace") as file:
            if kind == "csv":
                _write_csv(file, rows, columns, "\t" if ".tsv" in path.suffixes else ",")
            else:
                _write_jsonl(file, rows)
    staged.replace(path)


def _write_csv(
    stream: IO[str], rows: Iterable[Row], columns: Sequence[str], delimiter: str
) -> None:
    writer = csv.DictWriter(stream, columns, delimiter=delimiter)
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})


def _write_jsonl(stream: IO[str], rows: Iterable[Row]) -> None:
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")


def pick_column(row: Mapping[str, Any], wanted: str | None) -> str:
    """The column that holds the texts: the one asked for, else the usual names, else the only one.

    Raises:
        InvalidInput: it is not there, or cannot be told; the message lists the columns.
    """
    columns = ", ".join(row)
    if wanted is not None:
        if wanted in row:
            return wanted
        raise InvalidInput(f"There is no column '{wanted}'; found: {columns}.", field="column")
    for name in ("text", "review", "comment", "message", "sentence", "body", "content"):
        for column in row:
            if column.lower() == name:
                return column
    if len(row) == 1:
        return next(iter(row))
    raise InvalidInput(
        f"Which column holds the texts? Say --column NAME; found: {columns}.", field="column"
    )


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as peek:
        utf16 = peek.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    with opener(path, "rt", encoding="utf-16" if utf16 else "utf-8-sig", newline="") as stream:
        yield stream


def _read_csv(stream: IO[str]) -> Iterator[Row]:
    head = next((line for line in stream if line.strip()), "")
    named = re.sub(r'"[^"]*"', "", head)
    delimiter = max(DELIMITERS, key=named.count)
    stream.seek(0)
    lines = csv_rows(stream, delimiter=delimiter)
    reader = (cells for cells in lines if cells and cells != [""])
    columns = _unique(next(reader, []))
    for cells in reader:
        while len(cells) > len(columns) and not cells[-1]:
            cells.pop()
        if len(cells) > len(columns) == 1:
            # Nobody who wrote one column meant its commas to part it.
            cells = [delimiter.join(cells)]
        row = dict.fromkeys(columns) | dict(zip(columns, cells, strict=False))
        if len(cells) <= len(columns):
            yield row
        else:
            yield BrokenRow(
                row,
                f"The row has {len(cells)} cells for {len(columns)} columns; "
                f"a text that holds {delimiter!r} needs quotes around it.",
            )


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def _read_jsonl(stream: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidInput(f"Line {number} is not JSON: {error}.", field="input") from error
        yield row if isinstance(row, dict) else {LINE_COLUMN: row}


def _read_lines(stream: IO[str]) -> Iterator[Row]:
    for line in stream:
        if line.strip():
            yield {LINE_COLUMN: line.rstrip("\r\n")}


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra(
            "Parquet needs pyarrow: pip install 'discern[parquet]'.", field="input"
        ) from error
    return pyarrow


def _write_parquet(path: Path, rows: Iterable[Row], columns: Sequence[str]) -> None:
    pyarrow = _pyarrow()
    filled = [{name: row.get(name) for name in columns} for row in rows]
    try:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(filled), path)
    except (pyarrow.ArrowException, UnicodeEncodeError) as error:
        raise InvalidInput(
            f"Parquet cannot hold these rows ({error}); write to a .jsonl file.", field="output"
        ) from error


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return value.hex() if isinstance(value, bytes) else value


def _plain(value: object) -> str:
    """What Parquet has a type for and JSON has none: times, decimals, bytes."""
    return value.hex() if isinstance(value, bytes) else str(value)


def stdin_rows() -> Iterator[Row]:
    """The lines of standard input, blank ones left out; UTF-8 whatever the terminal's language."""
    for number, line in enumerate(sys.stdin.buffer):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 0 else line
        if not text.strip():
            continue
        try:
            yield {LINE_COLUMN: text.decode().rstrip("\r\n")}
        except UnicodeDecodeError:
            shown = text.decode(errors="replace").rstrip("\r\n")
            yield BrokenRow({LINE_COLUMN: shown}, f"Line {number + 1} is not UTF-8.")
