"""HEIC: walks the boxes (ISO/IEC 14496-12 and 23008-12) without decoding anything."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec

from discern.vision.formats.layout import Layout, check_parts, corrupt, truncated

_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})

_CODED = frozenset({b"ftyp", b"mdat", b"moov"})
"""What holds the picture and the tables that find it; readers skip every other kind of box, so
anything at all may be in one."""


def matches(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _BRANDS


@lru_cache(maxsize=1)
def can_be_decoded() -> bool:
    """Whether the ``heic`` extra is installed, which alone knows how; it is not imported."""
    return find_spec("pillow_heif") is not None


def read(data: bytes) -> Layout:
    """The layout of a HEIC file, whose boxes must fill it exactly.

    The size is the largest that any item declares: the tiles and thumbnails are smaller than the
    picture they belong to.
    """
    metadata: list[tuple[int, int]] = []
    sizes: list[tuple[int, int]] = []
    for kind, start, end in boxes(data, 0, len(data)):
        if kind == b"meta":
            sizes.extend(_declared_sizes(data, start + 4, end))
        elif kind == bytes(4) and data[start:end].strip(b"\0"):
            raise corrupt("something that is no HEIC box follows its boxes")
        elif kind not in _CODED:
            metadata.append((start, end))
    if not sizes:
        raise corrupt("it declares no pixels")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Layout("HEIF", "image/heic", width, height, 1, tuple(metadata), len(data))


def boxes(data: bytes, position: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, body start and body end of each box between two offsets, which they must fill."""
    parts = 0
    while position < limit:
        parts += 1
        check_parts(parts, "HEIC")
        length = int.from_bytes(data[position : position + 4], "big")
        kind, start = data[position + 4 : position + 8], position + 8
        if length == 1:
            length = int.from_bytes(data[start : start + 8], "big")
            start += 8
        elif length == 0:
            length = limit - position
        end = position + length
        if end < start or end > limit:
            raise truncated("HEIC")
        yield kind, start, end
        position = end


def _declared_sizes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    for kind, inner, inner_end in boxes(data, start, end):
        if kind in (b"iprp", b"ipco"):
            yield from _declared_sizes(data, inner, inner_end)
        elif kind == b"ispe" and inner_end - inner >= 12:
            yield (
                int.from_bytes(data[inner + 4 : inner + 8], "big"),
                int.from_bytes(data[inner + 8 : inner + 12], "big"),
            )
