"""Finds what does not belong into a picture file: a second file appended to it or hidden in it.

What telephones append to a JPEG is let through when it is exactly that: the further pictures of
a multi-picture file (CIPA DC-007), the film of a motion photo, Samsung's trailer. None of it
is ever decoded, and none of it is stored.
"""

from __future__ import annotations

import re

from discern.errors import CorruptMedia
from discern.vision.contract import ImageLimits
from discern.vision.formats import heif, jpeg
from discern.vision.formats.layout import FIELD, Layout

_MARKUP = re.compile(
    rb"<(?:!doctype\s+html|html|script|iframe|svg|object|embed)\b|<\?php|javascript:",
    re.IGNORECASE,
)
_ARCHIVE = re.compile(
    rb"PK\x03\x04[\x0a-\x3f]\x00|PK\x05\x06|Rar!\x1a\x07|7z\xbc\xaf\x27\x1c|%PDF-"
)
_ZIP_DIRECTORY_END = b"PK\x05\x06"
_ZIP_DIRECTORY = b"PK\x01\x02"
_ZIP_TAIL = 65_557
"""A zip reader looks for the directory's end in this many last bytes of a file."""

_PDF_HEAD = 1_024
"""A PDF reader accepts its header anywhere in this many first bytes of a file."""


def refuse_foreign(data: bytes, layout: Layout, limits: ImageLimits) -> None:
    """Raises :class:`CorruptMedia` when ``data`` is more than the picture it claims to be."""
    if not _is_known_trailer(data, layout, limits):
        raise _polyglot(f"{len(data) - layout.end:,} bytes follow the end of the picture")
    if _is_zip(data):
        raise _polyglot("it is a zip archive as well")
    if b"%PDF-" in data[:_PDF_HEAD]:
        raise _polyglot("it is a PDF document as well")
    for start, end in layout.metadata:
        if _MARKUP.search(data, start, end):
            raise _polyglot("its metadata holds a web page or a script")
        if _ARCHIVE.search(data, start, end):
            raise _polyglot("its metadata holds an archive or a document")


def _polyglot(reason: str) -> CorruptMedia:
    return CorruptMedia(f"'{FIELD}' is not only a picture: {reason}.", field=FIELD)


def _is_zip(data: bytes) -> bool:
    """Whether a directory's end, which some picture in a hundred thousand holds by chance, is one:
    its comment fills the file, or, for readers that forgive bytes after it, a directory stands
    where it says."""
    position = data.find(_ZIP_DIRECTORY_END, max(0, len(data) - _ZIP_TAIL))
    while position >= 0:
        size = int.from_bytes(data[position + 12 : position + 16], "little")
        offset = int.from_bytes(data[position + 16 : position + 20], "little")
        comment = int.from_bytes(data[position + 20 : position + 22], "little")
        if position + 22 + comment == len(data):
            return True
        before = position - size
        if any(data.startswith(_ZIP_DIRECTORY, at) for at in (offset, before) if at >= 0):
            return True
        position = data.find(_ZIP_DIRECTORY_END, position + 1)
    return False


def _is_known_trailer(data: bytes, layout: Layout, limits: ImageLimits) -> bool:
    position = layout.end
    if layout.format == "JPEG":
        while data.startswith(jpeg.MAGIC, position):
            position = jpeg.end_of_stream(data, position, limits)
        if _is_film(data, position) or _is_samsung_trailer(data, position):
            return True
    return not data[position:].strip(b"\0\r\n")


def _is_film(data: bytes, position: int) -> bool:
    if data[position + 4 : position + 8] != b"ftyp":
        return False
    try:
        for _ in heif.boxes(data, position, len(data)):
            pass
    except CorruptMedia:
        return False
    return True


def _is_samsung_trailer(data: bytes, position: int) -> bool:
    """True when the blocks listed in the trailer's directory reach back to ``position``."""
    if not data.endswith(b"SEFT"):
        return False
    directory = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    if directory < position or data[directory : directory + 4] != b"SEFH":
        return False
    count = int.from_bytes(data[directory + 8 : directory + 12], "little")
    if count > 256 or directory + 12 + 12 * count > len(data):
        return False
    entries = range(directory + 12, directory + 12 + 12 * count, 12)
    offsets = [int.from_bytes(data[entry + 4 : entry + 8], "little") for entry in entries]
    return bool(offsets) and directory - max(offsets) == position
