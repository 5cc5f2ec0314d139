"""Parquet files whose footers or pages lie about what is in them: they are refused, and early."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("numpy")
pytest.importorskip("pyarrow")

from discern.errors import InvalidInput, TooLarge
from discern.recommendations.files import COLUMNS
from discern.recommendations.pages import MAX_PAGES
from discern.recommendations.parquet import read_parquet
from tests.core.forged_parquet import (
    I32,
    I64,
    STRUCT,
    Struct,
    chunks,
    forge_footer,
    forge_page,
    last_column,
    row_groups,
)

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FEW_BYTES = 2**20


def written(texts: list[str], **options: Any) -> bytes:
    stream = io.BytesIO()
    table = pyarrow.table({"content_id": [str(i) for i in range(len(texts))], "text": texts})
    chosen = {"compression": "zstd", "use_dictionary": False, "store_schema": False, **options}
    parquet.write_table(table, stream, write_statistics=False, **chosen)
    return stream.getvalue()


def refused(file: bytes, kind: type[Exception], match: str) -> None:
    """The file is refused, before any row and without more memory than a small file takes."""
    usual = pyarrow.default_memory_pool()
    counted = pyarrow.proxy_memory_pool(usual)
    pyarrow.set_memory_pool(counted)
    try:
        with pytest.raises(kind, match=match):
            next(read_parquet(io.BytesIO(file), name="it", columns=COLUMNS))
    finally:
        pyarrow.set_memory_pool(usual)
    assert counted.max_memory() < FEW_BYTES


def claims(number: int, value: int) -> Callable[[Struct], None]:
    """Each column's ``number``, as Parquet numbers what a footer says of a column, is ``value``."""

    def change(footer: Struct) -> None:
        for chunk in chunks(footer):
            chunk[number] = [I64, value]

    return change


def rows(value: int) -> Callable[[Struct], None]:
    def change(footer: Struct) -> None:
        footer[3][1] = value
        for group in row_groups(footer):
            group[3][1] = value

    return change


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        (rows(5 * 10**9), InvalidInput, "fewer values"),
        (rows(-1), InvalidInput, "not readable"),
        (claims(5, 2**40), TooLarge, "values"),
        (claims(5, 2**24), InvalidInput, "fewer values"),
        (claims(5, -5), InvalidInput, "fewer values"),
        (claims(6, 2**40), TooLarge, "bytes unpacked"),
        (claims(7, 2**40), InvalidInput, "more than the file has"),
        (claims(7, -5), InvalidInput, "fewer values"),
        (claims(9, 2**40), InvalidInput, "not readable"),
        (claims(9, -5), InvalidInput, "not readable"),
        (claims(11, -(2**40)), InvalidInput, "not readable"),
    ],
)
def test_a_footer_that_claims_what_is_not_there_is_refused(
    change: Callable[[Struct], None], kind: type[Exception], match: str
) -> None:
    file = forge_footer(written(["x", "y", "z"]), change)
    assert len(file) < 1_000
    refused(file, kind, match)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_page_that_unpacks_to_a_gigabyte_is_refused_whatever_the_footer_says(
    version: str,
) -> None:
    file = forge_footer(written(["y" * 2**30], data_page_version=version), claims(6, 100))
    assert len(file) < 50_000
    refused(file, TooLarge, "bytes unpacked")


def test_shared_beginnings_are_found_that_the_footer_is_silent_about() -> None:
    tags = pyarrow.array([["x" * 2**20 + str(i) for i in range(300)]])
    stream = io.BytesIO()
    parquet.write_table(
        pyarrow.table({"content_id": ["a"], "tags": tags}),
        stream,
        use_dictionary=False,
        column_encoding={"tags.list.element": "DELTA_BYTE_ARRAY"},
    )

    def plain(footer: Struct) -> None:
        for chunk in chunks(footer):
            chunk[2][1] = [I32, [0]]

    refused(forge_footer(stream.getvalue(), plain), TooLarge, "a row group holds")


def test_values_that_only_a_page_counts_are_counted() -> None:
    file = written(["x", "y", "z"])

    def many(header: Struct) -> None:
        header[5][1][1][1] = 2**31 - 1

    refused(forge_page(file, last_column(file), many), TooLarge, "values")


@pytest.mark.parametrize("number", [2, 3])
def test_a_page_that_has_less_than_no_bytes_is_refused(number: int) -> None:
    file = written(["x", "y", "z"])

    def less(header: Struct) -> None:
        header[number][1] = -5

    refused(forge_page(file, last_column(file), less), InvalidInput, "less than no bytes")


def test_a_page_s_size_cannot_be_hidden_behind_a_field_of_another_kind() -> None:
    file = forge_footer(written(["y" * 2**29]), claims(6, 100))

    def hide(header: Struct) -> None:
        # Field numbers have 16 bits: these are 2 again, of kinds that are passed over.
        header[2 + 2**16] = [I64, 7]
        header[2 + 2**17] = [STRUCT, {}]

    refused(forge_page(file, last_column(file), hide), TooLarge, "bytes unpacked")


def test_row_groups_that_share_a_column_s_pages_are_refused() -> None:
    def share(footer: Struct) -> None:
        row_groups(footer).extend(row_groups(footer) * 1_000)

    refused(forge_footer(written(["x"] * 3), share), InvalidInput, "more than the file has")


def test_more_pages_than_any_writer_makes_are_refused() -> None:
    page = b"\x15\x00\x15\x00\x15\x00\x2c\x15\x00\x15\x00\x15\x06\x15\x06\x00\x00"
    file = written(["x"])
    place, pages = last_column(file), page * (MAX_PAGES + 1)

    def longer(footer: Struct) -> None:
        chunks(footer)[-1][7][1] += len(pages)

    forged = forge_footer(file[:place] + pages + file[place:], longer)
    refused(forged, InvalidInput, "pages")


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "zstd"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", [None, "PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_what_is_honest_is_read_however_it_is_written(
    compression: str, version: str, encoding: str | None
) -> None:
    texts = [f"{'long ' * 400}{i}" if i % 3 else None for i in range(1_000)]
    table = pyarrow.table({"content_id": list(map(str, range(1_000))), "text": texts})
    stream = io.BytesIO()
    parquet.write_table(
        table,
        stream,
        compression=compression,
        data_page_version=version,
        use_dictionary=encoding is None,
        column_encoding=encoding and {"text": encoding},
        data_page_size=10_000,
        row_group_size=300,
        write_page_checksum=True,
        write_page_index=True,
    )
    found = read_parquet(stream, name="it", columns=COLUMNS)
    assert [row["text"] for row in found] == texts
