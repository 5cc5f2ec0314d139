"""CSV: what people have is read, and a quote that nobody closed swallows no rows."""

from __future__ import annotations

import csv
import io

import pytest

from discern.delimited import csv_rows


def rows(text: str, *, closed: bool = True) -> list[list[str]]:
    return list(csv_rows(io.StringIO(text, newline=""), closed=closed))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('id,text\n1,"good\n2,bad\n3,day\n', 2),
        ('id,text\r\n1,a\r\n2,"good\r\n3,bad', 3),
        ('id,text\r1,a\r2,"good\r3,bad\r', 3),
        ('"id\n', 1),
        ('id,text\n1,"', 2),
        ('id,text\n1,"\n2,b\n', 2),
        ('id,text\n"1\n\n2","three\nfour\n', 4),
        ('id,text\n1,"she said ""no""\n2,b\n', 2),
        ('id,text\n1,"a\u2028b\n2,c\n', 2),
    ],
)
def test_a_quote_that_is_never_closed_is_refused_with_the_line_it_opens_on(
    text: str, line: int
) -> None:
    with pytest.raises(csv.Error, match=f"line {line} is never closed"):
        rows(text)


@pytest.mark.parametrize(
    "text",
    [
        'id,text\n1,"two\nlines"\n2,b\n',
        'id,text\n1,"two\nlines"',
        'id,text\n1,"ends in a break\n"\n',
        'id,text\n1,"a"b\n2,5" wide\n3,a"\n',
        'id,text\n1,""\n2,""""\n\n',
        "",
    ],
)
def test_what_was_read_before_is_read_as_before(text: str) -> None:
    assert rows(text) == list(csv.reader(io.StringIO(text, newline="")))


def test_an_open_quote_is_one_cell_for_whoever_asks() -> None:
    assert rows('a\n"b\nc\n', closed=False) == [["a"], ["b\nc\n"]]
