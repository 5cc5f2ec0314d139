"""Parquet files: what reading one takes of memory, and which unpack to too much and are refused."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pyarrow")

from discern.errors import InvalidInput, TooLarge
from discern.recommendations.files import COLUMNS, read_contents
from discern.recommendations.parquet import (
    MAX_BYTES_AT_ONCE,
    MAX_GROUP_BYTES,
    MAX_GROUP_VALUES,
    read_parquet,
)

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

GROUPS, ROWS, WORDS = 6, 10_000, 1_500
MOST_MB = 100

# The peak of a process of its own: a peak never falls, and getrusage's is the parent's at first.
READ = """
import sys
from pathlib import Path
import pyarrow.parquet
from discern.recommendations.files import read_contents

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e3

before = peak()
count = sum(len(content.text) > 0 for content in read_contents(sys.argv[1]))
print(count, peak() - before)
"""


def _file(**columns: Any) -> io.BytesIO:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream, compression="zstd")
    return stream


def _repeated(value: str | Sequence[Any], rows: int) -> Any:
    """A column that says the same in every row and takes the room of one."""
    return pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * rows, pyarrow.int32()), pyarrow.array([value])
    )


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells a process's peak")
def test_a_file_of_many_row_groups_is_read_in_a_fraction_of_what_it_unpacks_to(
    tmp_path: Path,
) -> None:
    path = tmp_path / "contents.parquet"
    schema = pyarrow.schema([("content_id", pyarrow.string()), ("text", pyarrow.string())])
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in range(GROUPS):
            names = [f"c{group}-{row}" for row in range(ROWS)]
            texts = [f"{name} " + "words " * WORDS for name in names]
            writer.write_table(pyarrow.table([names, texts], schema=schema))
    assert parquet.read_metadata(path).num_row_groups == GROUPS
    assert GROUPS * ROWS * WORDS * len("words ") > 5e6 * MOST_MB
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True
    )
    count, megabytes = done.stdout.split()
    assert int(count) == GROUPS * ROWS
    assert float(megabytes) < MOST_MB


@pytest.mark.parametrize("encoding", ["RLE_DICTIONARY", "DELTA_BYTE_ARRAY"])
def test_one_long_text_in_every_row_is_refused_before_it_is_unpacked(encoding: str) -> None:
    file = io.BytesIO()
    table = pyarrow.table({"content_id": [str(i) for i in range(500)], "text": ["x" * 2**20] * 500})
    chosen = {"text": encoding} if encoding != "RLE_DICTIONARY" else None
    parquet.write_table(
        table, file, compression="zstd", use_dictionary=chosen is None, column_encoding=chosen
    )
    assert file.tell() < 2**20
    usual = pyarrow.default_memory_pool()
    counted = pyarrow.proxy_memory_pool(usual)
    pyarrow.set_memory_pool(counted)
    try:
        with pytest.raises(TooLarge, match="part of 500 rows") as refused:
            list(read_parquet(file, name="it", columns=COLUMNS))
    finally:
        pyarrow.set_memory_pool(usual)
    assert counted.max_memory() < 3 * MAX_BYTES_AT_ONCE
    assert (refused.value.field, refused.value.limit) == ("file", MAX_BYTES_AT_ONCE)


def test_a_column_that_arrow_keeps_as_a_dictionary_is_measured_as_what_it_says() -> None:
    rows = 2_000
    text = _repeated("x" * 2**20, rows)
    file = _file(content_id=[str(i) for i in range(rows)], text=text)
    with pytest.raises(TooLarge, match="part of 500 rows"):
        list(read_parquet(file, name="it", columns=COLUMNS))


def test_a_row_group_that_unpacks_to_more_than_a_process_should_hold_is_refused() -> None:
    long = [f"{i}" + "x" * 2**20 for i in range(260)]
    file = _file(content_id=[str(i) for i in range(260)], text=long)
    with pytest.raises(TooLarge, match="a row group holds") as refused:
        list(read_parquet(file, name="it", columns=COLUMNS))
    assert (refused.value.field, refused.value.limit) == ("file", MAX_GROUP_BYTES)


def test_more_empty_tags_than_a_file_of_its_size_could_name_are_refused() -> None:
    count = MAX_GROUP_VALUES + 1
    tags = pyarrow.ListArray.from_arrays([0, count], pyarrow.nulls(count, pyarrow.string()))
    file = _file(content_id=["a"], tags=tags)
    assert file.tell() < 2**20
    with pytest.raises(TooLarge, match="values") as refused:
        list(read_parquet(file, name="it", columns=COLUMNS))
    assert (refused.value.field, refused.value.limit) == ("file", MAX_GROUP_VALUES)


def test_columns_that_nobody_reads_cost_nothing_and_none_but_those_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(
        _file(content_id=["a", "b"], tags=[["x"], None], more=_repeated("y" * 2**20, 2)).getvalue()
    )
    assert [(content.id, content.tags) for content in read_contents(path)] == [
        ("a", ("x",)),
        ("b", ()),
    ]
    (row, _) = read_parquet(path, name="it", columns=COLUMNS)
    assert set(row) == {"content_id", "tags"}
    with pytest.raises(InvalidInput, match="none of the columns"):
        list(read_parquet(_file(more=["x"]), name="it", columns=COLUMNS))


def _one_row_of(count: int, tag: str) -> Any:
    """A list column with one row, of so many times the same tag."""
    return pyarrow.ListArray.from_arrays([0, count], _repeated(tag, count))


@pytest.mark.parametrize("kept", [True, False])
def test_one_row_that_names_a_long_tag_many_times_is_refused_before_it_is_unpacked(
    kept: bool,
) -> None:
    file = io.BytesIO()
    table = pyarrow.table({"content_id": ["a"], "tags": _one_row_of(2_000, "x" * 2**16)})
    parquet.write_table(table, file, compression="zstd", store_schema=kept)
    assert file.tell() < 2**20
    usual = pyarrow.default_memory_pool()
    counted = pyarrow.proxy_memory_pool(usual)
    pyarrow.set_memory_pool(counted)
    try:
        with pytest.raises(TooLarge, match="part of 500 rows"):
            list(read_parquet(file, name="it", columns=COLUMNS))
    finally:
        pyarrow.set_memory_pool(usual)
    assert counted.max_memory() < 3 * MAX_BYTES_AT_ONCE


def test_a_row_of_tags_with_a_long_common_beginning_is_refused_before_it_is_unpacked() -> None:
    file = io.BytesIO()
    tags = pyarrow.array([["x" * 2**20 + str(i) for i in range(300)]])
    table = pyarrow.table({"content_id": ["a"], "tags": tags})
    encoding = {"tags.list.element": "DELTA_BYTE_ARRAY"}
    parquet.write_table(table, file, use_dictionary=False, column_encoding=encoding)
    with pytest.raises(TooLarge, match="a row group holds"):
        list(read_parquet(file, name="it", columns=COLUMNS))


def test_tags_are_read_alike_however_a_file_holds_them() -> None:
    tags = [["night", "sky"], [], None, ["night"]] * 300
    names = [str(i) for i in range(len(tags))]
    for chosen in ({}, {"store_schema": False}, {"use_dictionary": False}):
        file = io.BytesIO()
        parquet.write_table(pyarrow.table({"id": names, "tags": tags}), file, **chosen)
        rows = read_parquet(file, name="it", columns=COLUMNS)
        assert [row["tags"] for row in rows] == tags


def test_a_column_that_is_there_twice_is_refused() -> None:
    table = pyarrow.Table.from_arrays(
        [pyarrow.array(["a"]), pyarrow.array(["x"]), pyarrow.array(["y"])],
        names=["id", "text", "text"],
    )
    file = io.BytesIO()
    parquet.write_table(table, file)
    with pytest.raises(InvalidInput, match="twice"):
        list(read_parquet(file, name="it", columns=COLUMNS))
