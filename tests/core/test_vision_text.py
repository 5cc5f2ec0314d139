"""Several pictures are read at once, each by a copy of the models of its own."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
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


def page(lines: int, size: int) -> OpenedImage:
    image = Image.new("RGB", (1_000, 40 + 2 * size * lines), (250, 246, 240))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size=size)
    for number in range(lines):
        text = f"Line {number}: the harbor opens at {number + 5} in the morning"
        draw.text((30 + 5 * number, 20 + 2 * size * number), text[: 20 + 3 * number], "navy", font)
    file = io.BytesIO()
    image.save(file, "PNG")
    return open_image(file.getvalue())


@pytest.mark.parametrize(("lines", "size"), [(1, 48), (6, 28), (12, 18), (9, 12)])
def test_the_same_lines_are_found_and_read_as_by_the_package_left_as_it_is(
    lines: int, size: int
) -> None:
    from rapidocr import RapidOCR

    image = page(lines, size)
    plain = RapidOCR(
        params={
            "Det.limit_type": "max",
            "Det.limit_side_len": 1_280,
            "Global.log_level": "critical",
        }
    )(np.ascontiguousarray(image.pixels[:, :, ::-1]))
    found = TextReader().read(image)
    assert len(found.lines) == lines
    assert [line.text for line in found.lines] == [text.strip() for text in plain.txts]
    for line, box in zip(found.lines, plain.boxes, strict=True):
        assert np.abs(np.asarray(line.quad) - box).max() <= 2


# In a process of its own: what another test's models have left free would hide what is kept.
KEPT = """
import sys
import numpy as np
from discern.vision.contract import OpenedImage
from discern.vision.read_text import TextReader

def resident():
    status = open("/proc/self/status").read()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3

def picture(width, height):
    return OpenedImage(np.full((height, width, 3), 250, np.uint8), width, height, "png", 1)

reader = TextReader()
reader.load()
before = resident()
for width, height in ((640, 480), (2_000, 2_000), (640, 480)):
    reader.read(picture(width, height))
print(resident() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_what_a_very_large_picture_needed_is_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KEPT], capture_output=True, text=True, check=True, timeout=120
    )
    assert float(done.stdout) < 220
