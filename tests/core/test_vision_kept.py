"""In which kind of file a picture is kept, and what of its pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from discern.vision.images import open_image, sanitize, sanitize_with_thumbnail
from tests.core.test_vision_images import corners, encode, quarters


def clear_photograph(side: int) -> Image.Image:
    """As hard to pack as a photograph, with a shadow's soft edge."""
    small = np.random.default_rng(5).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((side, side)))
    return image


@pytest.mark.parametrize(("side", "kept"), [(2_000, 2_000), (3_000, 2_449)])
def test_a_large_picture_with_clear_parts_is_kept_within_the_processor_time_it_gets(
    side: int, kept: int
) -> None:
    file = encode(clear_photograph(side), "WEBP", quality=60, method=0)
    clean, small = sanitize_with_thumbnail(file, thumbnail_side=400)
    assert (clean.media_type, clean.width, clean.height) == ("image/png", kept, kept)
    assert (small.media_type, small.width, small.height) == ("image/png", 400, 400)
    for stored in (clean, small):
        with Image.open(io.BytesIO(stored.data)) as image:
            assert image.size == (stored.width, stored.height)
            assert image.getchannel("A").getextrema() == (0, 255)


def test_a_picture_that_could_be_clear_and_is_not_becomes_a_jpeg() -> None:
    for mode in ("RGBA", "LA"):
        clean, small = sanitize_with_thumbnail(
            encode(quarters(640, 320).convert(mode), "PNG"), thumbnail_side=100
        )
        assert (clean.media_type, small.media_type) == ("image/jpeg", "image/jpeg")
    with Image.open(io.BytesIO(sanitize(encode(quarters().convert("RGBA"), "PNG")).data)) as image:
        assert corners(np.asarray(image)) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize("max_side", [4_096, 64])
def test_a_gray_picture_of_16_bits_keeps_its_grays_and_is_stored_gray(max_side: int) -> None:
    steps = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (64, 1))
    file = encode(Image.fromarray(steps), "PNG")
    grays = open_image(file, max_side=max_side).pixels
    assert (int(grays[0, 0, 0]), int(grays[0, -1, 0])) == pytest.approx((0, 255), abs=3)
    assert (np.diff(grays[0, :, 0].astype(int)) >= 0).all()
    with Image.open(io.BytesIO(sanitize(file, max_side=max_side).data)) as image:
        assert (image.format, image.mode) == ("JPEG", "L")
        assert int(np.asarray(image)[0, -1]) >= 250
