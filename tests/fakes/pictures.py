"""An engine that sees: it names the main color of a picture and reads a word by that color."""

from __future__ import annotations

import io

from PIL import Image

from discern.errors import DiscernError
from discern.vision.contract import (
    Box,
    DetectedObject,
    DetectionResult,
    Quad,
    TextLine,
    TextResult,
    TextWord,
)
from tests.fakes.engine import WordEngine

WORDS = {"red": "awful bad", "green": "good lovely", "blue": ""}


class PictureEngine(WordEngine):
    """:class:`WordEngine` with eyes; ``vision_failure`` is raised by both of them when set."""

    vision_failure: DiscernError | None = None

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = 0.25,
        deadline_s: float | None = None,
    ) -> DetectionResult:
        if self.vision_failure is not None:
            raise self.vision_failure
        color, width, height = _look(image)
        box = Box(0.0, 0.0, width / 2, height / 2)
        found = (DetectedObject(color, 0.9, box), DetectedObject("speck", 0.35, box))
        return DetectionResult(found, width, height, "colors", "1.0.0")

    def read_text(
        self, image: bytes, *, model: str | None = None, deadline_s: float | None = None
    ) -> TextResult:
        if self.vision_failure is not None:
            raise self.vision_failure
        color, width, height = _look(image)
        text = WORDS[color]
        quad: Quad = ((1.0, 1.0), (9.0, 1.0), (9.0, 5.0), (1.0, 5.0))
        lines = (TextLine(text, 0.8, quad, (TextWord(text, 0.8, quad),)),) if text else ()
        return TextResult(text, lines, width, height, "signs", "1.0.0")


def _look(image: bytes) -> tuple[str, int, int]:
    with Image.open(io.BytesIO(image)) as opened:
        pixel = opened.convert("RGB").resize((1, 1)).getpixel((0, 0))
        width, height = opened.size
    if not isinstance(pixel, tuple):
        raise TypeError("an RGB pixel has three parts")
    strongest = max(range(3), key=lambda channel: pixel[channel])
    return ("red", "green", "blue")[strongest], width, height


def picture(color: str = "green", *, kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    """A small picture of one color, as a file of that kind."""
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, kind)
    return out.getvalue()


def photograph_with_place(size: tuple[int, int] = (64, 48)) -> bytes:
    """A JPEG on its side, with EXIF that tells its orientation, camera and place."""
    image = Image.new("RGB", size, "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()
