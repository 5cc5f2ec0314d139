"""Reads and writes tables of texts: CSV, JSON Lines, plain lines, and Parquet with its extra."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from discern.errors import InvalidInput, MissingExtra

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
MAX_FIELD_CHARS: Final = 10_000_000

csv.field_size_limit(MAX_FIELD_CHARS)


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
        MissingExtra: Parquet without pyarrow.
    """
    kind = check_source(path)
    if kind == "parquet":
        yield from _read_parquet(path)
        return
    with _open_text(path) as stream:
        try:
            yield from {"csv": _read_csv, "jsonl": _read_jsonl, "lines": _read_lines}[kind](stream)
        except UnicodeDecodeError as error:
            raise InvalidInput(f"'{path.name}' is not UTF-8 text: {error}.") from error
        except csv.Error as error:
            raise InvalidInput(f"'{path.name}' is not readable CSV: {error}.") from error


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes a table in the format of the path's ending, replacing it in one step.

    Raises:
        InvalidInput: the ending is not known.
        MissingExtra: Parquet without pyarrow.
    """
    kind = format_of(path)
    staged = path.with_name(f".{path.name}.writing{path.suffix}")
    if kind == "parquet":
        _write_parquet(staged, rows)
    else:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(staged, "wt", encoding="utf-8", newline="") as stream:
            write_stream(stream, rows, kind)
    staged.replace(path)


def write_stream(stream: IO[str], rows: Iterable[Row], kind: str) -> None:
    """Writes rows as ``csv`` or ``jsonl`` to an open stream."""
    if kind == "csv":
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(stream, list(row), extrasaction="ignore")
                writer.writeheader()
            writer.writerow({key: _cell(value) for key, value in row.items()})
        return
    for row in rows:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")


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
    with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
        yield stream


def _read_csv(stream: IO[str]) -> Iterator[Row]:
    head = stream.readline()
    delimiter = max(DELIMITERS, key=head.count) if head else ","
    stream.seek(0)
    reader = csv.DictReader(stream, delimiter=delimiter)
    for row in reader:
        row.pop(None, None)
        yield dict(row)


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


def _read_parquet(path: Path) -> Iterator[Row]:
    pyarrow = _pyarrow()
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1024):
            yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise InvalidInput(f"'{path.name}' is not readable Parquet: {error}.") from error


def _write_parquet(path: Path, rows: Iterable[Row]) -> None:
    pyarrow = _pyarrow()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def stdin_rows() -> Iterator[Row]:
    """The lines of standard input, blank ones left out."""
    yield from _read_lines(sys.stdin)
