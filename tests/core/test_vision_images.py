"""Opening pictures: the kinds accepted, the limits, what is dropped, and what is refused."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from discern.errors import (
    CorruptMedia,
    DiscernError,
    EmptyInput,
    TooLarge,
    UnsupportedMedia,
)
from discern.vision.contract import ImageLimits
from discern.vision.formats import heif, inspect
from discern.vision.images import open_image, sanitize, sanitize_with_thumbnail
from discern.vision.sandbox import Sandbox
from tests.faults.hostile_files import archive, hostile_files, picture, png_chunk


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


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def heic(width: int = 64, height: int = 32) -> bytes:
    """The structure of a HEIC file, without the pixels."""
    size = box(b"ispe", bytes(4), width.to_bytes(4, "big"), height.to_bytes(4, "big"))
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", size)))
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta + box(b"mdat", bytes(16))


@pytest.mark.parametrize("kind", [b"free", b"uuid", b"junk"])
def test_a_web_page_in_a_box_that_readers_of_heic_skip_is_found(kind: bytes) -> None:
    pytest.importorskip("pillow_heif")
    with pytest.raises(CorruptMedia, match="web page"):
        inspect(heic() + box(kind, b"<html><script>alert(1)</script>"))


def test_what_follows_the_boxes_of_a_heic_is_refused_and_padding_is_not() -> None:
    pytest.importorskip("pillow_heif")
    assert inspect(heic() + bytes(64)).width == 64
    with pytest.raises(CorruptMedia, match="no HEIC box"):
        inspect(heic() + bytes(99) + b"x")


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
    data = encode(large(6_000, 4_000), "HEIF", quality=60)
    clean, small = sanitize_with_thumbnail(data, thumbnail_side=400)
    assert (clean.width, clean.height) == (4_096, 2_731)
    assert max(small.width, small.height) == 400


@pytest.mark.parametrize(
    "data",
    [
        encode(Image.new("1", (5_008, 5_000)), "PNG"),
        encode(Image.new("RGB", (5_008, 5_000)), "WEBP"),
    ],
    ids=["PNG", "WEBP"],
)
def test_kinds_that_take_long_to_decode_are_refused_over_their_own_limit(data: bytes) -> None:
    with pytest.raises(TooLarge, match="25,040,000 pixels; the limit for") as refused:
        inspect(data)
    assert (refused.value.field, refused.value.limit) == ("image", 25_000_000)


def test_heic_over_its_own_limit_is_refused_and_a_jpeg_of_that_size_is_not() -> None:
    with pytest.raises(TooLarge) as refused:
        inspect(heic(8_064, 6_048))
    assert (refused.value.field, refused.value.limit) == ("image", 25_000_000)
    assert inspect(encode(Image.new("L", (8_064, 6_048)), "JPEG")).width == 8_064


def test_content_decides_and_not_what_a_file_is_called() -> None:
    assert inspect(encode(quarters(), "PNG")).media_type == "image/png"
    for other in (b"<svg/>", b"BM" + bytes(60), b"II*\0" + bytes(60), b"%PDF-1.7"):
        with pytest.raises(UnsupportedMedia):
            inspect(other)
    with pytest.raises(EmptyInput):
        inspect(b"")


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (ImageLimits(max_bytes=100), encode(quarters(), "PNG") + bytes(100)),
        (ImageLimits(max_side=63), encode(quarters(), "PNG")),
        (ImageLimits(max_pixels=64 * 32 - 1), encode(quarters(), "WEBP")),
        (
            ImageLimits(max_frames=2),
            encode(
                quarters(),
                "GIF",
                save_all=True,
                append_images=[Image.new("RGB", (64, 32))] * 2 + [quarters()],
            ),
        ),
        (ImageLimits(max_scans=1), encode(quarters(), "JPEG", progressive=True)),
    ],
)
def test_each_limit_refuses_before_decoding_and_names_itself(
    limits: ImageLimits, data: bytes
) -> None:
    with pytest.raises(TooLarge) as refused:
        inspect(data, limits)
    assert refused.value.limit is not None
    assert refused.value.field == "image"


def test_inspecting_loads_nothing_heavy() -> None:
    program = (
        "import sys; from discern.vision.formats import inspect; "
        "from discern.vision.images import sanitize; "
        "assert not {'numpy', 'PIL', 'onnxruntime'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


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


def test_what_telephones_append_to_photographs_is_let_through() -> None:
    photo = picture("JPEG")
    film = (
        struct.pack(">I", 16) + b"ftypmp42" + bytes(4) + struct.pack(">I", 20) + b"mdat" + b"v" * 12
    )
    block = b"\0\0\x01\x0aMotionPhoto"
    directory = (
        b"SEFH"
        + struct.pack("<II", 107, 1)
        + struct.pack("<HHII", 0, 0x0A01, len(block), len(block))
    )
    trailer = block + directory + struct.pack("<I", len(directory)) + b"SEFT"
    for tail in (photo, photo + photo, film, trailer, bytes(64)):
        assert inspect(photo + tail).width == 120
    for tail in (film + b"x", trailer + b"x", block + trailer, photo + b"<html>"):
        with pytest.raises(CorruptMedia):
            inspect(photo + tail)


def test_photoshop_metadata_is_not_taken_for_a_web_page() -> None:
    plist = b'<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN">'
    assert inspect(encode(quarters(), "JPEG", comment=plist)).width == 64


def test_a_png_with_a_wrong_checksum_is_corrupt() -> None:
    data = bytearray(picture("PNG"))
    data[29] ^= 1
    with pytest.raises(CorruptMedia, match="checksum"):
        inspect(bytes(data))


def test_a_png_without_pixels_is_corrupt() -> None:
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IEND", b"")
    with pytest.raises(CorruptMedia, match="no picture data"):
        inspect(data)


@given(cut=st.integers(1, 5_000), kind=st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]))
@settings(max_examples=150, deadline=None)
def test_every_truncation_is_refused_before_decoding(cut: int, kind: str) -> None:
    data = picture(kind)
    with pytest.raises((CorruptMedia, UnsupportedMedia)):
        inspect(data[: max(1, len(data) - cut)])


@given(
    data=st.binary(max_size=400),
    head=st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\xff\0\0\0WEBP",
            b"\0\0\0\x18ftypheic",
        ]
    ),
)
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_inspected_or_refused_by_an_error_of_the_family(
    data: bytes, head: bytes
) -> None:
    error = refusal(lambda: inspect(head + data))
    assert error is None or error.field == "image"


def png_that_ends_with(hidden: bytes) -> bytes:
    """A PNG whose picture data, where no reader looks for text, hold ``hidden``."""
    plain = encode(quarters(), "PNG")
    end = plain.rindex(b"IEND") - 4
    return plain[:end] + png_chunk(b"IDAT", hidden) + plain[end:]


def test_the_bytes_of_a_zips_end_by_chance_do_not_make_a_picture_a_zip() -> None:
    by_chance = b"PK\x05\x06" + bytes(range(100, 140))
    assert inspect(png_that_ends_with(by_chance)).width == 64


@pytest.mark.parametrize("comment", [16, 0], ids=["comment to the end", "bytes after the end"])
def test_a_zip_inside_the_picture_data_is_found(comment: int) -> None:
    packed = bytearray(archive())
    packed[-2:] = comment.to_bytes(2, "little")
    with pytest.raises(CorruptMedia, match="zip archive"):
        inspect(png_that_ends_with(bytes(packed)))


def refusal(call: Callable[[], object]) -> DiscernError | None:
    try:
        call()
    except DiscernError as error:
        return error
    return None


def test_500_hostile_files_end_no_process_and_none_of_the_refusable_is_read() -> None:
    pytest.importorskip("resource")
    # A process of its own: what earlier tests took would count as the decoders'.
    program = "from tests.core.test_vision_images import open_hostile_files; open_hostile_files()"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def open_hostile_files() -> None:
    import resource

    sandbox = Sandbox(2)
    limits = ImageLimits()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    codes = ("corrupt_media", "too_large", "unsupported_media", "empty_input")
    files = hostile_files(500)
    assert len(files) == 500
    for file in files:
        error = refusal(partial(open_image, file.data, limits=limits, sandbox=sandbox))
        if error is None:
            assert not file.must_fail, (file.kind, file.name)
        else:
            assert error.code in codes
            assert len(error.message) < 400
    sandbox.close()
    # Kilobytes: what the files' own bytes and a decoded picture need, and the decoders' limit.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert children < limits.memory_bytes / 1024
