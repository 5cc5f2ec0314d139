"""Reads CSV as people really have it, but not past a quote that nobody closed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

MAX_FIELD_CHARS: Final = 2**30
"""Far over what any reader takes of one field: a longer one is its row's error, there."""


def csv_rows(
    lines: Iterable[str], *, delimiter: str = ",", closed: bool = True
) -> Iterator[list[str]]:
    """The cells of each row, blank rows too. ``lines`` keep their line breaks, as a file opened
    with ``newline=""`` gives them.

    Args:
        closed: refuse a quote that is still open at the end; False gives what follows it as one
            cell, however many rows that swallows.

    Raises:
        csv.Error: not CSV; the message names the line, counted from 1, and for an open quote the
            one on which it stands.
    """
    # The module's limit is one for the whole process, where others read other files.
    csv.field_size_limit(MAX_FIELD_CHARS)
    source = _Source(lines)
    reader = csv.reader(source, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise csv.Error(f"line {reader.line_num:,}: {error}") from None
        # Only inside quotes does the module look for a further line before it gives a row away.
        # Its own strict mode would tell, too, but refuses `"a"b`, which people have.
        if source.ended and closed:
            spanned = sum(1 for _ in io.StringIO(cells[-1], newline=""))
            line = reader.line_num - max(1, spanned) + 1
            raise csv.Error(f"the quote that opens on line {line:,} is never closed")
        yield cells


class _Source:
    """Lines, and whether somebody has asked for one after the last."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self.ended = True
            raise
