"""Files of contents and interactions: what is read of odd ones, and how bad ones are refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from discern.errors import DiscernError, InvalidInput
from discern.recommendations.contract import Content, Interaction
from discern.recommendations.files import (
    COLUMNS,
    MAX_FIELD_CHARS,
    parse_content,
    parse_interaction,
    read_contents,
    read_interactions,
)
from discern.recommendations.library import Library
from discern.recommendations.parquet import read_parquet


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_row_that_ends_early_is_no_like(tmp_path: Path) -> None:
    path = written(tmp_path / "i.csv", "user_id,content_id,liked\nbob,c1\namy,c1,1\n")
    assert list(read_interactions(path)) == [
        Interaction("bob", "c1"),
        Interaction("amy", "c1", liked=True),
    ]
    only = written(tmp_path / "likes.csv", "user_id,content_id\nbob,c1\n")
    assert list(read_interactions(only)) == [Interaction("bob", "c1", liked=True)]


def test_liked_and_disliked_at_once_is_refused() -> None:
    row = {"user_id": "a", "content_id": "b", "liked": "1", "disliked": "1"}
    with pytest.raises(InvalidInput, match="row 1 is both"):
        parse_interaction(row, where="row 1")


def test_what_lies_ahead_is_stored_as_of_now_and_known_when_told_again(tmp_path: Path) -> None:
    library = Library(tmp_path)
    event = Interaction("a", "b", liked=True, at=4e9)
    assert library.put_interactions([event]).accepted == 1
    assert library.put_interactions([event]).duplicates == 1
    (stored,) = library.interactions()
    assert stored.at <= time.time()


def test_a_content_whose_row_ends_early_is_available(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", "content_id,title,available\na\nb,B,\nc,C,0\n")
    assert [content.available for content in read_contents(path)] == [True, True, False]


@pytest.mark.parametrize(
    "line", ['{"content_id": "a", "title": "x \\ud800"}', '{"content_id": "\\uDFFF"}', "[" * 99_999]
)
def test_a_line_that_cannot_be_stored_is_refused(tmp_path: Path, line: str) -> None:
    path = written(tmp_path / "c.jsonl", f'{{"content_id": "\\ud83d\\ude00"}}\n{line}\n')
    with pytest.raises(InvalidInput, match="Line 2"):
        list(read_contents(path))


def test_half_a_character_leaves_the_library_as_it_was(tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.put_contents([Content("a", title="A")])
    with pytest.raises(InvalidInput):
        library.put_contents([Content("b", title="\ud800")])
    with pytest.raises(InvalidInput):
        library.put_interactions([Interaction("\ud800", "a", liked=True)])
    assert library.contents() == [Content("a", title="A")]
    assert not list(tmp_path.glob(".contents-*"))


@pytest.mark.parametrize("place", range(10, 56, 5))
def test_a_corrupt_compressed_file_is_refused(tmp_path: Path, place: int) -> None:
    packed = bytearray(gzip.compress(b"user_id,content_id\n" + b"a,b\nc,dd\ne,f\n" * 50))
    packed[place] ^= 0xFF
    path = tmp_path / "i.csv.gz"
    path.write_bytes(packed)
    with pytest.raises(InvalidInput):
        list(read_interactions(path))


def parquet(columns: dict[str, Any]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def test_nanoseconds_are_read_to_the_microsecond(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    moments = pyarrow.array([1_700_000_000_123_456_789, None], pyarrow.timestamp("ns", "UTC"))
    path = tmp_path / "i.parquet"
    path.write_bytes(parquet({"user_id": ["a", "b"], "content_id": [1, 2], "created_at": moments}))
    first, second = read_interactions(path)
    assert first.at == pytest.approx(1_700_000_000.123456, abs=1e-6)
    assert second.at == 0.0


@pytest.mark.parametrize("kind", ["far date", "far time", "big duration", "duration"])
def test_times_that_python_does_not_know_are_refused(tmp_path: Path, kind: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    values = {
        "far date": pyarrow.array([2**30], pyarrow.date32()),
        "far time": pyarrow.array([2**60], pyarrow.timestamp("ms")),
        "big duration": pyarrow.array([2**62], pyarrow.duration("s")),
        "duration": pyarrow.array([timedelta(days=3)], pyarrow.duration("us")),
    }
    path = tmp_path / "i.parquet"
    path.write_bytes(parquet({"user_id": ["a"], "content_id": ["b"], "created_at": values[kind]}))
    with pytest.raises(InvalidInput):
        list(read_interactions(path))


@pytest.mark.parametrize("seed", range(80))
def test_a_damaged_parquet_file_is_read_or_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = parquet(
        {
            "content_id": [f"c{i}" for i in range(50)],
            "user_id": [f"u{i}" for i in range(50)],
            "tags": [["a", "b"]] * 50,
            "created_at": np.arange(50).astype("datetime64[ns]"),
        }
    )
    damaged = bytearray(whole)
    for place in rng.integers(4, len(whole), size=int(rng.integers(1, 6))).tolist():
        damaged[place] = int(rng.integers(256))
    try:
        for row in read_parquet(io.BytesIO(bytes(damaged)), name="it", columns=COLUMNS):
            for parse in (parse_content, parse_interaction):
                try:
                    parse(row, where="it")
                except InvalidInput:
                    continue
    except DiscernError:
        return


def test_a_key_is_its_persons_own_and_told_twice_counts_once(tmp_path: Path) -> None:
    library = Library(tmp_path)
    anna, ben = (Interaction(name, "a", liked=True, at=5.0, key="1") for name in ("anna", "ben"))
    assert library.put_interactions([anna, ben, anna]).accepted == 2
    moved = replace(anna, content="b", at=6.0)
    assert library.put_interactions([moved]).duplicates == 1
    # No way of writing a person and a key is another person's with another key.
    shifted = [Interaction("a", "x", key="nn"), Interaction("an", "x", key="n")]
    assert library.put_interactions(shifted).accepted == 2


def test_what_the_log_hands_out_with_keys_is_known_when_it_is_told_again(tmp_path: Path) -> None:
    library = Library(tmp_path)
    told = [
        Interaction("anna", "a", liked=True, at=5.0, key="1"),
        Interaction("anna", "b", liked=True, view_time=3.0, at=5.0),
        Interaction("anna", "c", at=4e9),
    ]
    library.put_interactions(told)
    library.events.withdraw("anna", "b")
    handed = list(library.interactions(keyed=True))
    assert library.put_interactions(handed).duplicates == 3
    assert library.put_interactions(told).duplicates == 3
    assert [event.key for event in library.interactions()] == ["", "", ""]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_keys_are_read_from_files_of_each_kind(tmp_path: Path, ending: str) -> None:
    rows = [{"user_id": "anna", "content_id": "a", "key": key} for key in ("k1", "", None)]
    path = tmp_path / f"i.{ending}"
    if ending == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(rows), path)
    elif ending == "jsonl":
        written(path, "".join(json.dumps(row) + "\n" for row in rows))
    else:
        written(path, "user_id,content_id,key\nanna,a,k1\nanna,a,\nanna,a\n")
    assert [event.key for event in read_interactions(path)] == ["k1", "", ""]


@pytest.mark.parametrize("key", [True, 1.5, ["a"], "x" * 65, "stored:" + "x" * 64, "a\x00b"])
def test_what_is_no_key_is_refused(key: object) -> None:
    row = {"user_id": "a", "content_id": "b", "key": key}
    with pytest.raises(InvalidInput, match="'key' in row 1"):
        parse_interaction(row, where="row 1")


def test_keys_of_an_older_log_are_known_as_their_persons(tmp_path: Path) -> None:
    library = Library(tmp_path)
    event = Interaction("anna", "a", liked=True, at=5.0)
    library.put_interactions([event, replace(event, key="1")])
    library.events.close()
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as log, log:
        log.execute("UPDATE events SET key = '1' WHERE number = 2")
        log.execute("PRAGMA user_version = 1")
    for other in ("ben", "cy"):
        library = Library(tmp_path)
        assert library.put_interactions([event, replace(event, key="1")]).duplicates == 2
        assert library.put_interactions([replace(event, person=other, key="1")]).accepted == 1


def test_what_is_older_than_what_is_known_is_taken_in_and_counted_as_out_of_order(
    tmp_path: Path,
) -> None:
    library = Library(tmp_path)
    rows = [("a", 5.0), ("b", 3.0), ("a", 4.0), ("a", 4.0), ("b", 3.5), ("a", 0.0)]
    done = library.put_interactions(Interaction("anna", name, at=at) for name, at in rows)
    assert (done.accepted, done.duplicates, done.out_of_order) == (5, 1, 1)


def test_a_field_that_is_too_long_is_refused_whoever_else_reads_csv(tmp_path: Path) -> None:
    table = tmp_path / "contents.csv"
    table.write_text("content_id,title,text\na,A," + "x" * (MAX_FIELD_CHARS + 1) + "\n")
    with pytest.raises(InvalidInput, match="10,000,000 characters"):
        list(read_contents(table))
    # A limit of the csv module would be everybody's in this process.
    assert [len(row[0]) for row in csv.reader(["y" * (MAX_FIELD_CHARS + 1)])] == [10_000_001]


def test_an_unclosed_quote_is_refused_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "c.csv", 'content_id,title\na,A\nb,"B\nc,C\n')
    with pytest.raises(InvalidInput, match="line 3 is never closed"):
        list(read_contents(path))
