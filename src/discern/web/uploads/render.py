"""A picture with what was found drawn on it: as an SVG overlay, and as a PNG."""

from __future__ import annotations

import io
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from discern.errors import Overloaded
from discern.web.uploads.models import Upload

PALETTE: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colors, told apart with any color vision (jfly.uni-koeln.de/color)."""

TEXT_COLOR: Final = "#6a3d9a"

MAX_SIDE: Final = 2_048
"""The most pixels of a drawn picture's longer side: one of 12 megapixels took two seconds of a web
process, most of them for packing the PNG."""

WAIT_S: Final = 3.0
"""How long a picture waits for the one being drawn in this process."""

_drawing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Mark:
    """One outline with its caption; ``points`` are pixels of the picture."""

    points: tuple[tuple[float, float], ...]
    caption: str
    color: str


def marks(row: Upload, *, threshold: float) -> Iterator[Mark]:
    """What to draw: objects at or above ``threshold``, and lines of text."""
    for found in (row.objects_found or {}).get("objects", ()):
        if found["score"] >= threshold:
            yield _object_mark(found)
    for line in (row.text_found or {}).get("lines", ()):
        corners = tuple((float(x), float(y)) for x, y in line["quad"])
        yield Mark(corners, "", TEXT_COLOR)


def _object_mark(found: Mapping[str, Any]) -> Mark:
    box = found["box"]
    x0, y0, x1, y1 = (float(box[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
    # The same word has the same color in every picture.
    color = PALETTE[zlib.crc32(found["label"].encode()) % len(PALETTE)]
    caption = f"{found['label']} {found['score']:.0%}"
    return Mark(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), caption, color)


def overlay_svg(row: Upload, *, threshold: float) -> bytes:
    """The outlines alone, in the picture's own coordinates, to be laid over it."""
    width, height = row.width or 1, row.height or 1
    stroke = max(width, height) / 300
    size = max(width, height) / 45
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{escape(_summary(row, threshold))}</title>",
    ]
    for mark in marks(row, threshold=threshold):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
        parts.append(
            f'<polygon points="{points}" fill="none" stroke="{mark.color}" '
            f'stroke-width="{stroke:.2f}"/>'
        )
        if mark.caption:
            x, y = mark.points[0]
            parts.append(
                f'<text x="{x + stroke:.1f}" y="{max(y - stroke, size):.1f}" '
                f'font-family="sans-serif" font-size="{size:.1f}" font-weight="600" '
                f'fill="{mark.color}" stroke="#fff" stroke-width="{size / 5:.2f}" '
                f'paint-order="stroke">{escape(mark.caption)}</text>'
            )
    return "".join([*parts, "</svg>"]).encode()


def annotated_png(row: Upload, picture: bytes, *, threshold: float) -> bytes:
    """The picture with the outlines burnt in, no larger than :data:`MAX_SIDE`.

    Raises:
        Overloaded: others were drawn for :data:`WAIT_S` seconds; one at a time is.
    """
    if not _drawing.acquire(timeout=WAIT_S):
        raise Overloaded(
            "Other pictures are being drawn; ask again shortly, or lay the overlay over it.",
            retry_after_s=WAIT_S,
        )
    try:
        return _annotated(row, picture, threshold)
    finally:
        _drawing.release()


def _annotated(row: Upload, picture: bytes, threshold: float) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    with Image.open(io.BytesIO(picture)) as opened:
        opened.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG is unpacked at a half, or less
        image = opened.convert("RGB")
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    scale = image.width / (row.width or image.width)
    draw = ImageDraw.Draw(image)
    stroke = max(2, max(image.size) // 300)
    font = ImageFont.load_default(size=max(12, max(image.size) // 45))
    for mark in marks(row, threshold=threshold):
        points = [(x * scale, y * scale) for x, y in mark.points]
        draw.polygon(points, outline=mark.color, width=stroke)
        if mark.caption:
            _caption(draw, points[0], mark, font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _caption(draw: Any, corner: tuple[float, float], mark: Mark, font: Any) -> None:
    x, y = corner
    _, top, right, bottom = draw.textbbox((0, 0), mark.caption, font=font)
    y = max(0.0, y - bottom - 4)
    draw.rectangle((x, y, x + right + 6, y + bottom + 4), fill=mark.color)
    draw.text((x + 3, y + 2 - top / 4), mark.caption, fill="#fff", font=font)


def _summary(row: Upload, threshold: float) -> str:
    names = [mark.caption for mark in marks(row, threshold=threshold) if mark.caption]
    return ", ".join(names) or "Nothing was found in this picture."
