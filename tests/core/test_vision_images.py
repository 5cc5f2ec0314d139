"""Opening pictures: the kinds accepted, and how each comes out upright in RGB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from discern.errors import CorruptMedia, UnsupportedMedia
from discern.vision.formats import heif, inspect
from discern.vision.images import open_image
from tests.core.pictures import corners, encode, heic, quarters


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_each_accepted_kind_opens_upright_in_rgb(kind: str) -> None:
    opened = open_image(encode(quarters(), kind))
    assert (opened.width, opened.height, opened.format) == (64, 32, kind)
    assert opened.pixels.shape == (32, 64, 3)
    assert opened.pixels.dtype == np.uint8
    assert corners(opened.pixels) == ["red", "green", "blue", "white"]


def test_heic_opens_where_its_extra_is_installed() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    opened = open_image(encode(quarters(), "HEIF"))
    assert (opened.width, opened.height, opened.format) == (64, 32, "HEIF")
    assert corners(opened.pixels) == ["red", "green", "blue", "white"]


@pytest.fixture
def without_heic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    heif.can_be_decoded.cache_clear()
    yield
    heif.can_be_decoded.cache_clear()


@pytest.mark.usefixtures("without_heic")
def test_heic_is_refused_by_its_structure_where_its_extra_is_not_installed() -> None:
    with pytest.raises(UnsupportedMedia, match="needs the 'heic' extra: it is not") as caught:
        inspect(heic())
    assert caught.value.field == "image"
    with pytest.raises(CorruptMedia):
        inspect(heic()[:-20])


def test_heic_is_accepted_where_its_extra_is_installed() -> None:
    pytest.importorskip("pillow_heif")
    assert inspect(heic()).media_type == "image/heic"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_pixel_becomes_rgb(mode: str) -> None:
    image = (
        Image.new("I;16", (16, 16), 65_535)
        if mode == "I;16"
        else Image.new("RGB", (16, 16), "white").convert(mode)
    )
    assert open_image(encode(image, "PNG")).pixels.min() >= 250


def test_four_color_jpeg_becomes_rgb() -> None:
    opened = open_image(encode(quarters().convert("CMYK"), "JPEG", quality=95))
    assert corners(opened.pixels) == ["red", "green", "blue", "white"]


def test_clear_parts_lie_on_white() -> None:
    image = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    assert (open_image(encode(image, "PNG")).pixels == 255).all()


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, ["red", "green", "blue", "white"]),
        (2, ["green", "red", "white", "blue"]),
        (3, ["white", "blue", "green", "red"]),
        (4, ["blue", "white", "red", "green"]),
        (5, ["red", "blue", "green", "white"]),
        (6, ["blue", "red", "white", "green"]),
        (7, ["white", "green", "blue", "red"]),
        (8, ["green", "white", "red", "blue"]),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(kind: str, orientation: int, expected: list[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(encode(quarters(), kind, exif=exif))
    assert corners(opened.pixels) == expected
    assert (opened.width, opened.height) == ((64, 32) if orientation < 5 else (32, 64))


def test_unreadable_metadata_does_not_keep_a_picture_from_opening() -> None:
    data = encode(quarters(), "JPEG", exif=b"Exif\0\0MM\0*" + b"\xff" * 40)
    assert corners(open_image(data).pixels) == ["red", "green", "blue", "white"]


def test_the_first_frame_of_a_moving_picture_is_read_and_the_rest_counted() -> None:
    frames = [Image.new("RGB", (16, 16), color) for color in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        opened = open_image(data)
        assert opened.frames == 3
        assert opened.pixels[8, 8, 0] > 200


def test_a_large_picture_is_kept_small_and_its_own_size_told() -> None:
    opened = open_image(encode(quarters(4_000, 1_000), "JPEG"), max_side=500)
    assert opened.pixels.shape == (125, 500, 3)
    assert (opened.width, opened.height, opened.scale_x, opened.scale_y) == (4_000, 1_000, 8.0, 8.0)
    assert corners(opened.pixels) == ["red", "green", "blue", "white"]


def test_inspecting_loads_nothing_heavy() -> None:
    program = (
        "import sys; from discern.vision.formats import inspect; "
        "from discern.vision.images import sanitize; "
        "assert not {'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
