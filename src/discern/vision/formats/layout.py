"""What every format's reader answers, and the refusals they share."""

from __future__ import annotations

from dataclasses import dataclass

from discern.errors import CorruptMedia, TooLarge
from discern.vision.contract import ImageLimits

FIELD = "image"

MAX_PARTS = 50_000
"""The most segments, chunks or boxes walked; real files have at most a few thousand."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a picture file's parts are. ``metadata`` are (start, end) offsets of everything that
    is not picture data; ``end`` is the offset at which the format says the file ends."""

    format: str
    media_type: str
    width: int
    height: int
    frames: int
    metadata: tuple[tuple[int, int], ...]
    end: int


def corrupt(reason: str) -> CorruptMedia:
    return CorruptMedia(f"'{FIELD}' cannot be read: {reason}.", field=FIELD)


def truncated(kind: str) -> CorruptMedia:
    return corrupt(f"the {kind} file ends before its picture does")


def check_parts(count: int, kind: str) -> None:
    if count > MAX_PARTS:
        raise TooLarge(
            f"'{FIELD}' is a {kind} file of more than {MAX_PARTS:,} parts.",
            field=FIELD,
            limit=MAX_PARTS,
        )


def check_layout(layout: Layout, limits: ImageLimits) -> None:
    """Raises for declared dimensions or frames that are absurd or over ``limits``."""
    width, height = layout.width, layout.height
    if width < 1 or height < 1:
        raise corrupt("it declares no pixels")
    if max(width, height) > limits.max_side:
        raise TooLarge(
            f"'{FIELD}' is {width:,} x {height:,} pixels; the longest side accepted is "
            f"{limits.max_side:,}.",
            field=FIELD,
            limit=limits.max_side,
        )
    most = limits.pixels_of(layout.format)
    if width * height > most:
        kind = layout.media_type.removeprefix("image/").upper()
        raise TooLarge(
            f"'{FIELD}' has {width * height:,} pixels; the limit for {kind} is {most:,}.",
            field=FIELD,
            limit=most,
        )
    if layout.frames > limits.max_frames:
        raise TooLarge(
            f"'{FIELD}' has {layout.frames:,} frames; the limit is {limits.max_frames:,}.",
            field=FIELD,
            limit=limits.max_frames,
        )
