"""Files that are refused before decoding: by their limits, their structure, their faults."""

from __future__ import annotations

import struct
import subprocess
import sys
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from discern.errors import CorruptMedia, EmptyInput, TooLarge, UnsupportedMedia
from discern.vision.contract import ImageLimits
from discern.vision.formats import inspect
from discern.vision.images import open_image
from discern.vision.sandbox import Sandbox
from tests.core.pictures import box, encode, heic, quarters, refusal
from tests.faults.hostile_files import archive, hostile_files, picture, png_chunk


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


def test_500_hostile_files_end_no_process_and_none_of_the_refusable_is_read() -> None:
    pytest.importorskip("resource")
    # A process of its own: what earlier tests took would count as the decoders'.
    program = "from tests.core.test_vision_refused import open_hostile_files; open_hostile_files()"
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
