"""Clean copies and thumbnails: what they keep, and that they lose everything else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from discern.vision.images import sanitize, sanitize_with_thumbnail
from tests.core.pictures import corners, encode, quarters


@pytest.mark.parametrize(("mode", "kind"), [("RGB", "image/jpeg"), ("RGBA", "image/png")])
def test_a_thumbnail_comes_with_the_clean_picture_both_upright(mode: str, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = quarters(640, 320).convert(mode)
    if mode == "RGBA":
        image.putpixel((0, 0), (0, 0, 0, 0))
    turned = encode(image, "WEBP", exif=exif, lossless=True)
    clean, small = sanitize_with_thumbnail(turned, thumbnail_side=100)
    assert (clean.width, clean.height, clean.media_type) == (320, 640, kind)
    assert (small.width, small.height, small.media_type) == (50, 100, kind)
    for picture_file in (clean.data, small.data):
        with Image.open(io.BytesIO(picture_file)) as image:
            assert not image.getexif()
            pixels = np.asarray(image.convert("RGB"))
        assert corners(pixels) == ["blue", "red", "white", "green"]
    assert clean.data == sanitize(turned).data


def large(width: int, height: int) -> Image.Image:
    """A picture with the texture of a photograph, which no coder makes short work of."""
    grain = np.random.default_rng(5).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image.fromarray(grain).resize((width, height), Image.Resampling.BICUBIC)


def test_a_jpeg_of_48_megapixels_becomes_a_clean_copy_decoded_at_its_half() -> None:
    data = encode(large(8_064, 6_048), "JPEG", quality=90)
    clean, small = sanitize_with_thumbnail(data, thumbnail_side=400)
    assert (clean.width, clean.height) == (4_032, 3_024)
    assert (small.width, small.height) == (400, 300)


def test_a_heic_of_24_megapixels_becomes_a_clean_copy() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    # The quickest way to write such a file: it is as much work to read as any other, and larger.
    quick = {"preset": "ultrafast"}
    data = encode(large(6_000, 4_000), "HEIF", quality=60, enc_params=quick)
    clean, small = sanitize_with_thumbnail(data, thumbnail_side=400)
    assert (clean.width, clean.height) == (4_096, 2_731)
    assert max(small.width, small.height) == 400


GPS = 0x8825


def secret_jpeg(**options: object) -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6
    exif.get_ifd(GPS)[1] = "N"
    exif.get_ifd(GPS)[2] = (51.0, 30.0, 26.0)
    return encode(quarters(), "JPEG", exif=exif, comment=b"SecretComment", **options)


def test_a_sanitized_picture_keeps_its_pixels_and_loses_everything_else() -> None:
    original = secret_jpeg(quality=95)
    assert b"Secret" in original
    clean = sanitize(original)
    assert b"Secret" not in clean.data
    assert (clean.media_type, clean.width, clean.height) == ("image/jpeg", 32, 64)
    with Image.open(io.BytesIO(clean.data)) as image:
        assert not image.getexif()
        assert "icc_profile" not in image.info
        assert "comment" not in image.info
        assert corners(np.asarray(image)) == ["blue", "red", "white", "green"]


def test_sanitizing_keeps_transparency_and_can_make_a_thumbnail() -> None:
    image = Image.new("RGBA", (400, 200), (255, 0, 0, 128))
    clean = sanitize(encode(image, "WEBP", lossless=True), max_side=100)
    assert (clean.media_type, clean.width, clean.height) == ("image/png", 100, 50)
    with Image.open(io.BytesIO(clean.data)) as small:
        assert small.mode == "RGBA"


def test_colors_are_converted_before_their_profile_is_dropped() -> None:
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    clean = sanitize(encode(quarters(), "PNG", icc_profile=lab))
    with Image.open(io.BytesIO(clean.data)) as image:
        assert "icc_profile" not in image.info
    broken = sanitize(encode(quarters(), "PNG", icc_profile=b"not a profile"))
    assert broken.width == 64
