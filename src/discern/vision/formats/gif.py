"""GIF: walks the blocks (GIF89a specification) without decoding anything."""

from __future__ import annotations

from discern.vision.formats.layout import Layout, check_parts, corrupt, truncated

MAGICS = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9
_FRAGMENT = 64
"""Encoders fill data blocks to 255 bytes; files cut far finer only cost time to walk."""


class _Walker:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.blocks_left = len(data) // _FRAGMENT + 1_000

    def byte(self, position: int) -> int:
        if position >= len(self.data):
            raise truncated("GIF")
        return self.data[position]

    def skip_blocks(self, position: int) -> int:
        """The offset after a series of data blocks."""
        while length := self.byte(position):
            position += 1 + length
            self.blocks_left -= 1
            if self.blocks_left < 0:
                raise corrupt("its data blocks are unreasonably small")
        return position + 1

    def word(self, position: int) -> int:
        return int.from_bytes(self.data[position : position + 2], "little")

    def colors(self, position: int) -> int:
        """Bytes of the color table that the flags at ``position`` announce."""
        flags = self.byte(position)
        return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def read(data: bytes) -> Layout:
    """The layout of a GIF file, which ends after its trailer."""
    walker = _Walker(data)
    position = 13 + walker.colors(10)
    width, height, frames, parts = walker.word(6), walker.word(8), 0, 0
    metadata: list[tuple[int, int]] = []
    while (kind := walker.byte(position)) != _TRAILER:
        parts += 1
        check_parts(parts, "GIF")
        if kind == _EXTENSION:
            end = walker.skip_blocks(position + 2)
            if walker.byte(position + 1) != _GRAPHIC_CONTROL:
                metadata.append((position, end))
            position = end
        elif kind == _IMAGE:
            frames += 1
            width = max(width, walker.word(position + 1) + walker.word(position + 5))
            height = max(height, walker.word(position + 3) + walker.word(position + 7))
            position = walker.skip_blocks(position + 11 + walker.colors(position + 9))
        else:
            raise corrupt("an unknown GIF block follows")
    if frames == 0:
        raise corrupt("it holds no picture data")
    return Layout("GIF", "image/gif", width, height, frames, tuple(metadata), position + 1)
