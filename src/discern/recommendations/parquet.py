"""Reads Parquet files in parts of a bounded size, however much a small file unpacks to."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, Final

from discern.errors import InvalidInput, MissingExtra, TooLarge
from discern.recommendations.pages import Pages, read_pages

ROWS_AT_ONCE: Final = 500
"""How many rows are held at a time."""

MAX_BYTES_AT_ONCE: Final = 64 * 2**20
"""The most those rows may unpack to: over 100 kB a row, more than is read of any text."""

MAX_GROUP_BYTES: Final = 256 * 2**20
"""The most a row group may unpack to: its largest page, which is unpacked whole, is no larger."""

MAX_GROUP_VALUES: Final = 2**24
"""The most values of one column in a row group; millions of empty ones take no room in a file."""

BYTES_A_VALUE: Final = 64
"""What Python needs for a value besides what it says."""


def read_parquet(
    source: Path | IO[bytes], *, name: str, columns: Collection[str] | None
) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file with those of its ``columns`` that it has, or with all where they
    are None, streamed; ``name`` is what errors call it. Times are read to the microsecond.

    Raises:
        InvalidInput: not Parquet, none of the columns, or a value in it that Python does not know,
            as the year 10,000.
        TooLarge: a row group or a part of it unpacks to more than its limit in bytes or values.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("Parquet needs pyarrow: pip install 'discern[parquet]'.") from None
    # What pyarrow raises for damaged files, and for values that no Python object holds.
    unreadable = (
        pyarrow.ArrowException,
        OSError,
        ValueError,
        OverflowError,
        TypeError,
        LookupError,
    )
    try:
        yield from _rows(source, name, columns)
    except unreadable as error:
        raise InvalidInput(f"'{name}' is not readable Parquet: {error}.", field="file") from error


def _rows(
    source: Path | IO[bytes], name: str, columns: Collection[str] | None
) -> Iterator[Mapping[str, Any]]:
    import pyarrow.parquet

    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        metadata = pyarrow.parquet.read_metadata(stream)
        names = metadata.schema.to_arrow_schema().names
        wanted = [field for field in names if columns is None or field in columns]
        if not wanted:
            raise InvalidInput(f"'{name}' has none of the columns that are read.", field="file")
        if len(set(wanted)) < len(wanted):
            raise InvalidInput(f"'{name}' has a column twice.", field="file")
        # A name may have a point in it, as a path has; where all are read nobody need tell.
        told_apart = None if columns is None else wanted
        repeated = _repeated_texts(metadata, told_apart)
        longest = _check_groups(metadata, stream, told_apart, repeated, name)
        file = pyarrow.parquet.ParquetFile(
            stream,
            metadata=metadata,
            pre_buffer=False,
            # One row may hold millions of values, so they stay unpacked until they are measured.
            read_dictionary=repeated,
        )
        rows_at_once = max(1, min(ROWS_AT_ONCE, MAX_BYTES_AT_ONCE // max(longest, 1)))
        rows = size = 0
        for batch in file.iter_batches(
            batch_size=rows_at_once, columns=told_apart, use_threads=False
        ):
            rows += batch.num_rows
            size += sum(map(_unpacked, batch.columns))
            if size > MAX_BYTES_AT_ONCE:
                what = f"a part of {ROWS_AT_ONCE} rows"
                raise _too_large(name, what, size, "bytes", MAX_BYTES_AT_ONCE)
            if rows >= ROWS_AT_ONCE:
                rows = size = 0
            yield from _in_microseconds(batch).to_pylist()


def _check_groups(
    metadata: Any,
    stream: IO[bytes],
    wanted: Collection[str] | None,
    repeated: Collection[str],
    name: str,
) -> int:
    """Raises for a row group over its limits. Returns how long the longest value may be that the
    file holds once and many rows repeat: the others take at least their length in their group."""
    longest = 0
    left = stream.seek(0, os.SEEK_END) - metadata.serialized_size
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        chunks = [group.column(place) for place in range(group.num_columns)]
        chunks = [chunk for chunk in chunks if _is_wanted(chunk.path_in_schema, wanted)]
        # Before any page is looked for: one that many groups share would be read for each.
        left -= sum(max(0, chunk.total_compressed_size) for chunk in chunks)
        if left < 0:
            raise ValueError("its columns say that they take more than the file has")
        _check_group([Pages(c.total_uncompressed_size, values=c.num_values) for c in chunks], name)
        pages = [_pages(chunk, stream) for chunk in chunks]
        _check_group(pages, name)
        for chunk, told in zip(chunks, pages, strict=True):
            # Where there are fewer, pyarrow may look for more behind the column's end.
            if not 0 <= group.num_rows <= chunk.num_values <= told.values:
                raise ValueError("a column has fewer values than it says, or than there are rows")
            longest = max(longest, told.unpacked if told.delta else told.dictionary)
            if chunk.path_in_schema in repeated and told.delta:
                most = told.unpacked * told.values
                if most > MAX_GROUP_BYTES:
                    raise _too_large(name, "a row group", most, "bytes", MAX_GROUP_BYTES)
    return longest


def _check_group(columns: Collection[Pages], name: str) -> None:
    size = sum(told.unpacked for told in columns)
    if size > MAX_GROUP_BYTES:
        raise _too_large(name, "a row group", size, "bytes", MAX_GROUP_BYTES)
    values = max((told.values for told in columns), default=0)
    if values > MAX_GROUP_VALUES:
        raise _too_large(name, "a row group", values, "values", MAX_GROUP_VALUES)


def _pages(chunk: Any, stream: IO[bytes]) -> Pages:
    # Not every writer tells where the dictionary is; it comes first wherever there is one.
    start = int(chunk.data_page_offset)
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        start = min(start, int(chunk.dictionary_page_offset))
    return read_pages(stream, start, int(chunk.total_compressed_size))


def _is_wanted(path: str, wanted: Collection[str] | None) -> bool:
    return wanted is None or path.split(".")[0] in wanted


def _repeated_texts(metadata: Any, wanted: Collection[str] | None) -> list[str]:
    """The paths of texts of which a row may hold many, as tags."""
    leaves = map(metadata.schema.column, range(metadata.num_columns))
    return [
        leaf.path
        for leaf in leaves
        if leaf.max_repetition_level
        and leaf.physical_type == "BYTE_ARRAY"
        and _is_wanted(leaf.path, wanted)
    ]


def _too_large(name: str, what: str, size: int, unit: str, limit: int) -> TooLarge:
    return TooLarge(
        f"In '{name}' {what} holds {size:,} {unit} unpacked; the limit is {limit:,}. "
        "Write it with shorter texts or fewer rows in a group.",
        field="file",
        limit=limit,
    )


def _unpacked(column: Any) -> int:
    """About how many bytes the column is as Python objects."""
    import pyarrow
    import pyarrow.compute

    kind = column.type
    if pyarrow.types.is_dictionary(kind):
        said = pyarrow.types.is_string(kind.value_type) or pyarrow.types.is_binary(kind.value_type)
        if not said:
            return _unpacked(column.dictionary_decode())
        lengths = pyarrow.compute.binary_length(column.dictionary).cast(pyarrow.int64())
        told = pyarrow.compute.sum(lengths.take(column.indices)).as_py()
        return BYTES_A_VALUE * len(column) + int(told or 0)
    if pyarrow.types.is_map(kind):
        return BYTES_A_VALUE * len(column) + _unpacked(column.keys) + _unpacked(column.items)
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return BYTES_A_VALUE * len(column) + _unpacked(column.flatten())
    if pyarrow.types.is_struct(kind):
        return sum(map(_unpacked, column.flatten()))
    return BYTES_A_VALUE * len(column) + int(column.nbytes)


def _in_microseconds(batch: Any) -> Any:
    """The batch with its times of nanoseconds, which Python has not, cut off."""
    import pyarrow

    for place, field in enumerate(batch.schema):
        if pyarrow.types.is_timestamp(field.type) and field.type.unit == "ns":
            wanted = pyarrow.timestamp("us", field.type.tz)
            column = batch.column(place).cast(wanted, safe=False)
            batch = batch.set_column(place, field.name, column)
    return batch
