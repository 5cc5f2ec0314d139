"""What the pages of a Parquet file say of themselves: they are what is unpacked, and a footer may
say anything about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Final

MAX_PAGES: Final = 2**16
"""The most pages of a column in a row group; 256 MB in pages of 4 kB have as many."""

MAX_HEADER_BYTES: Final = 2**20
"""The longest header of a page, with the least and the greatest value in it."""

_USUAL_HEADER_BYTES: Final = 256
_MAX_DEPTH: Final = 8

# The kinds of Thrift's compact form.
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

# What is read of a page's header: the kind and the number of a field in Parquet's definition.
_PAGE_KIND, _UNPACKED, _PACKED = (_I32, 1), (_I32, 2), (_I32, 3)
_VALUES: Final = (_I32, 1)
# The structures that only data pages have, of either version, with where the encoding is.
_DATA: Final = (((_STRUCT, 5), (_I32, 2)), ((_STRUCT, 8), (_I32, 4)))
_DICTIONARY_PAGE: Final = 2
_DELTA_BYTE_ARRAY: Final = 7

Fields = dict[tuple[int, int], Any]


@dataclass(frozen=True, slots=True)
class Pages:
    """Of one column in one row group: bytes unpacked of all pages and of the largest dictionary,
    values in the data pages, and whether one names what a value has in common with the one
    before by its length alone."""

    unpacked: int = 0
    dictionary: int = 0
    values: int = 0
    delta: bool = False


def read_pages(stream: IO[bytes], start: int, length: int) -> Pages:
    """Goes from header to header of the pages in ``length`` bytes from ``start`` on; what is
    between them is not read.

    Raises:
        ValueError: a header cannot be read, says that something has less than no bytes, or there
            are more than MAX_PAGES.
    """
    unpacked = dictionary = values = 0
    delta = False
    for header in _headers(stream, start, start + length):
        unpacked += header[_UNPACKED]
        if header[_PAGE_KIND] == _DICTIONARY_PAGE:
            dictionary = max(dictionary, header[_UNPACKED])
        for field, encoding in _DATA:
            told = header.get(field, {})
            values += max(0, told.get(_VALUES, 0))
            delta |= told.get(encoding) == _DELTA_BYTE_ARRAY
    return Pages(unpacked, dictionary, values, delta)


def _headers(stream: IO[bytes], place: int, end: int) -> Iterator[Fields]:
    for _ in range(MAX_PAGES):
        if place >= end:
            return
        header, taken = _header(stream, place)
        if not {_PAGE_KIND, _UNPACKED, _PACKED} <= header.keys():
            raise ValueError("a page does not say what it is")
        if header[_UNPACKED] < 0 or header[_PACKED] < 0:
            raise ValueError("a page has less than no bytes")
        yield header
        place += taken + header[_PACKED]
    if place < end:
        raise ValueError(f"a column has more than {MAX_PAGES:,} pages in a row group")


def _header(stream: IO[bytes], place: int) -> tuple[Fields, int]:
    """The header at ``place`` and how many bytes it takes."""
    for limit in (_USUAL_HEADER_BYTES, MAX_HEADER_BYTES):
        stream.seek(place)
        reader = _Compact(stream.read(limit))
        try:
            return reader.fields(), reader.place
        except IndexError:
            continue
    raise ValueError("a page's header does not end")


class _Compact:
    """Reads Thrift's compact form as pyarrow's does, which cuts numbers to their kinds' bits; an
    IndexError says that the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def fields(self, depth: int = 0) -> Fields:
        """The numbers and structures of a structure; the last one where a field is there twice. A
        field of another kind than its definition's is passed over, as pyarrow does."""
        if depth > _MAX_DEPTH:
            raise ValueError("a page's header is nested too deeply")
        found: Fields = {}
        field = 0
        while kind := (head := self._byte()) & 15:
            field = _cut(field + (head >> 4), 16) if head >> 4 else self._whole(16)
            found[kind, field] = self._value(kind, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return None
        if kind in (_I16, _I32, _I64):
            return self._whole(32)
        if kind == _STRUCT:
            return self.fields(depth + 1)
        if kind == _BINARY:
            return self._pass(self._varint() & 0xFFFFFFFF)
        if kind in (_BYTE, _DOUBLE):
            return self._pass(1 if kind == _BYTE else 8)
        raise ValueError("a page's header holds what no page has")

    def _byte(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _pass(self, count: int) -> None:
        self.place += count
        if self.place > len(self._data):
            raise IndexError

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number in a page's header is too long")

    def _whole(self, bits: int) -> int:
        value = self._varint() & 0xFFFFFFFF
        return _cut((value >> 1) ^ -(value & 1), bits)


def _cut(value: int, bits: int) -> int:
    """The signed number that so many bits keep of the value."""
    half = 1 << bits - 1
    return (value + half) % (2 * half) - half
