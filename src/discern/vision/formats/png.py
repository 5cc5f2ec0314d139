"""PNG: walks the chunks (W3C PNG, third edition) without decoding anything."""

from __future__ import annotations

import zlib

from discern.vision.formats.layout import Layout, check_parts, corrupt, truncated

MAGIC = b"\x89PNG\r\n\x1a\n"
_PICTURE = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"fdAT", b"fcTL", b"acTL", b"tRNS"})


def read(data: bytes) -> Layout:
    """The layout of a PNG or APNG file, which ends after its IEND chunk."""
    position, parts, frames = len(MAGIC), 0, 1
    size: tuple[int, int] | None = None
    has_pixels = False
    metadata: list[tuple[int, int]] = []
    while True:
        parts += 1
        check_parts(parts, "PNG")
        kind, start, end = _chunk(data, position)
        if (size is None) != (kind == b"IHDR"):
            raise corrupt("its header is missing or repeated")
        if kind == b"IHDR":
            size = _header(data, start, end)
        elif kind == b"acTL":
            frames = int.from_bytes(data[start : start + 4], "big")
        elif kind == b"IDAT":
            has_pixels = True
        elif kind not in _PICTURE:
            metadata.append((start, end))
        position = end + 4
        if kind == b"IEND":
            break
    if size is None or not has_pixels:
        raise corrupt("it holds no picture data")
    return Layout("PNG", "image/png", size[0], size[1], max(frames, 1), tuple(metadata), position)


def _chunk(data: bytes, position: int) -> tuple[bytes, int, int]:
    """A chunk's type and the offsets of its body, its checksum verified."""
    start = position + 8
    end = start + int.from_bytes(data[position : position + 4], "big")
    if start > len(data) or end + 4 > len(data):
        raise truncated("PNG")
    kind = data[position + 4 : start]
    stated = int.from_bytes(data[end : end + 4], "big")
    if zlib.crc32(memoryview(data)[position + 4 : end]) != stated:
        raise corrupt("a PNG checksum does not match")
    return kind, start, end


def _header(data: bytes, start: int, end: int) -> tuple[int, int]:
    if end - start != 13:
        raise corrupt("its header has a wrong length")
    width = int.from_bytes(data[start : start + 4], "big")
    height = int.from_bytes(data[start + 4 : start + 8], "big")
    return width, height
