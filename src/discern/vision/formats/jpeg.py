"""JPEG: walks the marker segments (ITU-T T.81, annex B) without decoding anything."""

from __future__ import annotations

import re

from discern.errors import TooLarge
from discern.vision.contract import ImageLimits
from discern.vision.formats.layout import FIELD, Layout, check_parts, corrupt, truncated

MAGIC = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _START = 0xDA, 0xD9, 0xD8
_METADATA = frozenset(range(0xE0, 0xF0)) | {0xFE}


def read(data: bytes, limits: ImageLimits) -> Layout:
    """The layout of the first JPEG stream in ``data``, which ends at its EOI marker."""
    return _stream(data, 0, limits)


def end_of_stream(data: bytes, start: int, limits: ImageLimits) -> int:
    """Where the JPEG stream that begins at ``start`` ends."""
    return _stream(data, start, limits).end


def _stream(data: bytes, start: int, limits: ImageLimits) -> Layout:
    position, parts, scans = start + 2, 0, 0
    size: tuple[int, int] | None = None
    metadata: list[tuple[int, int]] = []
    while True:
        parts += 1
        check_parts(parts, "JPEG")
        marker, position = _next_marker(data, position)
        if marker == _END:
            break
        end = _segment_end(data, position)
        if marker in _FRAME_HEADERS:
            if size is not None:
                raise corrupt("it declares its size twice")
            size = _frame_size(data, position, end)
        elif marker in _METADATA:
            metadata.append((position + 2, end))
        elif marker == _SCAN:
            scans += 1
            _check_scans(scans, limits)
            end = _end_of_scan(data, end)
        elif marker == _START:
            raise corrupt("a second picture begins inside the first")
        position = end
    if size is None or scans == 0:
        raise corrupt("it holds no picture data")
    return Layout("JPEG", "image/jpeg", size[0], size[1], 1, tuple(metadata), position)


def _next_marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at ``position`` (fill bytes skipped) and the offset after it."""
    if position >= len(data):
        raise truncated("JPEG")
    if data[position] != 0xFF:
        raise corrupt("a JPEG marker is missing where one must stand")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    if position >= len(data):
        raise truncated("JPEG")
    return data[position], position + 1


def _segment_end(data: bytes, position: int) -> int:
    length = int.from_bytes(data[position : position + 2], "big")
    end = position + length
    if length < 2 or end > len(data):
        raise truncated("JPEG")
    return end


def _frame_size(data: bytes, position: int, end: int) -> tuple[int, int]:
    if end - position < 8:
        raise corrupt("its frame header is too short")
    height = int.from_bytes(data[position + 3 : position + 5], "big")
    width = int.from_bytes(data[position + 5 : position + 7], "big")
    return width, height


def _end_of_scan(data: bytes, position: int) -> int:
    found = _MARKER.search(data, position)
    if found is None:
        raise truncated("JPEG")
    return found.start()


def _check_scans(scans: int, limits: ImageLimits) -> None:
    if scans > limits.max_scans:
        raise TooLarge(
            f"'{FIELD}' is a progressive JPEG of more than {limits.max_scans} scans.",
            field=FIELD,
            limit=limits.max_scans,
        )
