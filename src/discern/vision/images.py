"""Opens pictures that strangers sent: checked, decoded under limits, upright, nothing hidden."""

from __future__ import annotations

from typing import Any

from discern.errors import CorruptMedia
from discern.vision.contract import WORKING_SIDE, ImageLimits, OpenedImage, SanitizedImage
from discern.vision.formats import inspect
from discern.vision.formats.layout import FIELD
from discern.vision.sandbox import Sandbox, default_sandbox


def open_image(
    data: bytes,
    *,
    limits: ImageLimits | None = None,
    max_side: int = WORKING_SIDE,
    sandbox: Sandbox | None = None,
) -> OpenedImage:
    """Decodes the first frame of a JPEG, PNG, WebP, GIF or (with the ``heic`` extra) HEIC file.

    The kind is decided by content alone. The pixels come upright (EXIF orientation applied), RGB,
    clear parts on white, at most ``max_side`` pixels on their longer side.

    Raises:
        EmptyInput, UnsupportedMedia, CorruptMedia, TooLarge: see
            :func:`discern.vision.formats.inspect`; also when decoding takes more processor
            time, clock time or memory than ``limits`` allow.
        Overloaded: all decoding processes are busy.
    """
    import numpy as np

    limits = limits or ImageLimits()
    info = inspect(data, limits)
    request = _request(info.format, limits, max_side) | {"verb": "pixels"}
    reply, body = (sandbox or default_sandbox()).run(request, data, limits)
    rows, columns = int(reply["rows"]), int(reply["columns"])
    if rows < 1 or columns < 1 or rows * columns * 3 != len(body):
        raise CorruptMedia(f"'{FIELD}' does not decode to a picture.", field=FIELD)
    pixels = np.frombuffer(body, dtype=np.uint8).reshape(rows, columns, 3)
    return OpenedImage(pixels, int(reply["width"]), int(reply["height"]), info.format, info.frames)


def sanitize(
    data: bytes,
    *,
    max_side: int = 4_096,
    quality: int = 90,
    keep_alpha: bool = True,
    limits: ImageLimits | None = None,
    sandbox: Sandbox | None = None,
) -> SanitizedImage:
    """Writes a picture anew from its pixels alone, upright and at most ``max_side`` pixels long.

    Nothing else of the file survives: EXIF and with it the place a photograph was taken, comments,
    color profiles (colors are converted to sRGB first), thumbnails, trailers. A small
    ``max_side`` makes a thumbnail.

    Raises:
        EmptyInput, UnsupportedMedia, CorruptMedia, TooLarge, Overloaded: as :func:`open_image`.
    """
    request = {"max_side": max_side, "quality": quality, "keep_alpha": keep_alpha}
    reply, body = _encode(data, request, limits, sandbox)
    return _sanitized(body, reply)


def sanitize_with_thumbnail(
    data: bytes,
    *,
    max_side: int = 4_096,
    quality: int = 90,
    thumbnail_side: int,
    thumbnail_quality: int = 80,
    limits: ImageLimits | None = None,
    sandbox: Sandbox | None = None,
) -> tuple[SanitizedImage, SanitizedImage]:
    """The picture as :func:`sanitize` writes it and a small one, decoding the file once.

    Raises:
        EmptyInput, UnsupportedMedia, CorruptMedia, TooLarge, Overloaded: as :func:`open_image`.
    """
    small = {"max_side": thumbnail_side, "quality": thumbnail_quality}
    request = {"max_side": max_side, "quality": quality, "keep_alpha": True, "thumbnail": small}
    reply, body = _encode(data, request, limits, sandbox)
    behind = len(body) - int(reply["thumbnail"]["length"])
    return _sanitized(body[:behind], reply), _sanitized(body[behind:], reply["thumbnail"])


def _encode(
    data: bytes, request: dict[str, Any], limits: ImageLimits | None, sandbox: Sandbox | None
) -> tuple[dict[str, Any], bytes]:
    limits = limits or ImageLimits()
    info = inspect(data, limits)
    request = _request(info.format, limits, request["max_side"]) | request | {"verb": "encode"}
    return (sandbox or default_sandbox()).run(request, data, limits)


def _sanitized(body: bytes, described: dict[str, Any]) -> SanitizedImage:
    size = int(described["columns"]), int(described["rows"])
    return SanitizedImage(body, str(described["media_type"]), *size)


def _request(kind: str, limits: ImageLimits, max_side: int) -> dict[str, Any]:
    return {
        "format": kind,
        "max_pixels": limits.pixels_of(kind),
        "max_size": limits.max_side,
        "max_side": max_side,
    }
