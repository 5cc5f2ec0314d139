"""Reads the structure of picture files: what kind, how large, where they end. Decodes nothing."""

from __future__ import annotations

from discern.errors import EmptyInput, TooLarge, UnsupportedMedia
from discern.vision.contract import ImageInfo, ImageLimits
from discern.vision.formats import gif, heif, jpeg, png, webp
from discern.vision.formats.foreign import refuse_foreign
from discern.vision.formats.layout import FIELD, Layout, check_layout

ACCEPTED = "JPEG, PNG, WebP, GIF or (with the 'heic' extra) HEIC"


def inspect(data: bytes, limits: ImageLimits | None = None) -> ImageInfo:
    """Decides by content alone whether ``data`` is a picture worth decoding.

    It costs a few milliseconds, decodes nothing and imports nothing heavy, so a web process can
    afford it before it accepts an upload.

    Raises:
        EmptyInput: no bytes.
        UnsupportedMedia: not an accepted kind of picture, or HEIC without the ``heic`` extra.
        CorruptMedia: truncated, malformed, or more than a picture (a polyglot).
        TooLarge: bytes, side, pixels, frames or scans over ``limits``, which allow fewer pixels
            for the kinds that take longer to decode (HEIC, WebP, PNG).
    """
    limits = limits or ImageLimits()
    if not data:
        raise EmptyInput(f"'{FIELD}' is empty.", field=FIELD)
    if len(data) > limits.max_bytes:
        raise TooLarge(
            f"'{FIELD}' has {len(data):,} bytes; the limit is {limits.max_bytes:,}.",
            field=FIELD,
            limit=limits.max_bytes,
        )
    layout = _layout(data, limits)
    check_layout(layout, limits)
    refuse_foreign(data, layout, limits)
    if layout.format == "HEIF" and not heif.can_be_decoded():
        raise UnsupportedMedia(
            f"'{FIELD}' is a HEIC picture, which needs the 'heic' extra: it is not installed here.",
            field=FIELD,
        )
    return ImageInfo(layout.format, layout.media_type, layout.width, layout.height, layout.frames)


def _layout(data: bytes, limits: ImageLimits) -> Layout:
    if data.startswith(jpeg.MAGIC):
        return jpeg.read(data, limits)
    if data.startswith(png.MAGIC):
        return png.read(data)
    if data.startswith(gif.MAGICS):
        return gif.read(data)
    if webp.matches(data):
        return webp.read(data)
    if heif.matches(data):
        return heif.read(data)
    raise UnsupportedMedia(f"'{FIELD}' is not a {ACCEPTED} picture.", field=FIELD)
