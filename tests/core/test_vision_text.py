"""Several pictures are read at once, each by a copy of the models of its own."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageDraw, ImageFont

from discern.vision.contract import OpenedImage
from discern.vision.images import open_image
from discern.vision.read_text import TextReader

pytest.importorskip("rapidocr")


def sign(word: str) -> OpenedImage:
    image = Image.new("RGB", (200, 64), "white")
    font = ImageFont.load_default(size=32)
    ImageDraw.Draw(image).text((12, 12), word, fill="black", font=font)
    file = io.BytesIO()
    image.save(file, "PNG")
    return open_image(file.getvalue())


def test_pictures_read_at_once_keep_their_own_words_and_no_more_copies_are_made_than_allowed() -> (
    None
):
    reader = TextReader(copies=2)
    assert not reader.loaded
    words = ["HARBOR", "LANTERN", "MEADOW", "GRANITE"] * 2
    signs = [sign(word) for word in words]

    def read(image: OpenedImage) -> str:
        return reader.read(image).text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, signs)) == words
    assert reader.loaded
    assert len(reader._idle) == 2
