"""Pictures as files, whose every turn is seen, and the structure of one without pixels."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from discern.errors import DiscernError


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def quarters(width: int = 64, height: int = 32) -> Image.Image:
    """Red, green above blue, white: every turn and mirroring looks different."""
    image = Image.new("RGB", (width, height), "white")
    half = (width // 2, height // 2)
    image.paste((255, 0, 0), (0, 0, *half))
    image.paste((0, 255, 0), (half[0], 0, width, half[1]))
    image.paste((0, 0, 255), (0, half[1], half[0], height))
    return image


def corners(pixels: np.ndarray) -> list[str]:
    names = {(True, False, False): "red", (False, True, False): "green",
             (False, False, True): "blue", (True, True, True): "white"}  # fmt: skip
    rows, columns = pixels.shape[:2]
    places = [(y, x) for y in (rows // 4, 3 * rows // 4) for x in (columns // 4, 3 * columns // 4)]
    return [names[tuple(bool(v > 128) for v in pixels[place])] for place in places]


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def heic(width: int = 64, height: int = 32) -> bytes:
    """The structure of a HEIC file, without the pixels."""
    size = box(b"ispe", bytes(4), width.to_bytes(4, "big"), height.to_bytes(4, "big"))
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", size)))
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta + box(b"mdat", bytes(16))


def refusal(call: Callable[[], object]) -> DiscernError | None:
    try:
        call()
    except DiscernError as error:
        return error
    return None
