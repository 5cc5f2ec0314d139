"""Parquet files whose footers and page headers lie: both are Thrift's compact form, which is read
into plain lists here, changed and written again."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

MAGIC = b"PAR1"
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

Struct = dict[int, list[Any]]
"""Field number -> [kind, value]; a list's value is [kind of its items, items]."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self.place = data, 0

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self.place]
            self.place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _head(self) -> int:
        self.place += 1
        return self._data[self.place - 1]

    def _signed(self) -> int:
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def struct(self) -> Struct:
        found: Struct = {}
        number = 0
        while (head := self._head()) != 0:
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = [head & 15, self.value(head & 15)]
        return found

    def value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE):
            return None
        if kind in (BYTE, I16, I32, I64):
            return self._signed()
        if kind == STRUCT:
            return self.struct()
        if kind == LIST:
            head = self._head()
            count = head >> 4 if head >> 4 < 15 else self.number()
            return [head & 15, [self.value(head & 15) for _ in range(count)]]
        length = self.number() if kind == BINARY else 8
        self.place += length
        return self._data[self.place - length : self.place]


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _signed(value: int) -> bytes:
    return _number((value << 1 ^ value >> 63) & (1 << 64) - 1)


def _written(kind: int, value: Any) -> bytes:
    if kind in (TRUE, FALSE):
        return b""
    if kind in (BYTE, I16, I32, I64):
        return _signed(value)
    if kind == STRUCT:
        return write_struct(value)
    if kind == LIST:
        inner, items = value
        body = b"".join(_written(inner, item) for item in items)
        return bytes([0xF0 | inner]) + _number(len(items)) + body
    return (_number(len(value)) if kind == BINARY else b"") + bytes(value)


def write_struct(fields: Struct) -> bytes:
    out = b"".join(
        bytes([kind]) + _signed(number) + _written(kind, value)
        for number, (kind, value) in fields.items()
    )
    return out + b"\0"


def forge_footer(file: bytes, change: Callable[[Struct], None]) -> bytes:
    """The Parquet file with its footer (FileMetaData) as ``change`` leaves it."""
    (length,) = struct.unpack("<I", file[-8:-4])
    footer = _Reader(file[-8 - length : -8]).struct()
    change(footer)
    written = write_struct(footer)
    return file[: -8 - length] + written + struct.pack("<I", len(written)) + MAGIC


def chunks(footer: Struct) -> list[Struct]:
    """What the footer tells of each column of each row group (ColumnMetaData)."""
    return [column[3][1] for group in footer[4][1][1] for column in group[1][1][1]]


def forge_page(file: bytes, place: int, change: Callable[[Struct], None]) -> bytes:
    """The file with the page header at ``place`` as ``change`` leaves it. What lies behind moves,
    so it serves for the last page of a file whose footer needs not find another."""
    reader = _Reader(file[place:])
    header = reader.struct()
    change(header)
    return file[:place] + write_struct(header) + file[place + reader.place :]


def row_groups(footer: Struct) -> list[Struct]:
    found: list[Struct] = footer[4][1][1]
    return found


def last_column(file: bytes) -> int:
    """Where the first page of the last column of the file is."""
    places: list[int] = []
    forge_footer(file, lambda footer: places.extend(chunk[9][1] for chunk in chunks(footer)))
    return places[-1]
