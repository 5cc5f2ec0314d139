"""WebP: walks the RIFF chunks (RFC 9649) without decoding anything."""

from __future__ import annotations

from discern.vision.formats.layout import Layout, check_parts, corrupt, truncated

_PICTURE = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ANMF", b"ANIM", b"ALPH"})


def matches(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read(data: bytes) -> Layout:
    """The layout of a WebP file, which ends where its RIFF header says."""
    limit = 8 + int.from_bytes(data[4:8], "little")
    if limit > len(data):
        raise truncated("WebP")
    position, parts, frames, has_pixels = 12, 0, 0, False
    width = height = 0
    metadata: list[tuple[int, int]] = []
    while position < limit:
        parts += 1
        check_parts(parts, "WebP")
        kind = data[position : position + 4]
        start = position + 8
        end = start + int.from_bytes(data[position + 4 : start], "little")
        if end > limit:
            raise truncated("WebP")
        size = _size(kind, data[start : start + 10])
        width, height = max(width, size[0]), max(height, size[1])
        has_pixels |= kind in (b"VP8 ", b"VP8L", b"ANMF")
        frames += kind == b"ANMF"
        if kind not in _PICTURE:
            metadata.append((start, end))
        position = end + (end & 1)
    if not has_pixels:
        raise corrupt("it holds no picture data")
    end = min(max(position, limit), len(data))
    return Layout("WEBP", "image/webp", width, height, max(frames, 1), tuple(metadata), end)


def _size(kind: bytes, head: bytes) -> tuple[int, int]:
    """Width and height that a chunk declares, (0, 0) when it declares none."""
    if len(head) < 10 and kind in (b"VP8 ", b"VP8X"):
        raise truncated("WebP")
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8 ":
        width, height = int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return 0, 0
