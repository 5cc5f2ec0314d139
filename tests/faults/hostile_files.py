"""Makes hostile picture files: bombs, truncated, disguised, joined with other files, and fuzzed.

Deterministic for a seed. Each file says whether it must be refused or may also be read (a fuzzed
file can stay a picture); in no case may it crash a process or hold it up.
"""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product

from PIL import Image, PngImagePlugin


@dataclass(frozen=True, slots=True)
class HostileFile:
    """``name`` is what an uploader would call it; ``must_fail`` says that it may not be read."""

    kind: str
    name: str
    data: bytes
    must_fail: bool = True


def picture(kind: str = "JPEG", size: tuple[int, int] = (120, 80), seed: int = 1) -> bytes:
    """A small real picture with some texture."""
    noise = random.Random(seed).randbytes(30 * 20 * 3)
    image = Image.frombytes("RGB", (30, 20), noise).resize(size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    if kind == "GIF":
        image = image.convert("P")
    if kind == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    image.save(file, kind)
    return file.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes, extra: bytes = b"", depth: int = 8) -> bytes:
    """A PNG with any header over any compressed rows (gray)."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", rows)
        + png_chunk(b"IEND", b"")
    )


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("run.js", "alert(1)")
    return file.getvalue()


PDF = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
HTML = b"<!DOCTYPE html><html><script>alert(document.domain)</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><image href='file:///etc/passwd'/></svg>"
HEIF_IS_HERE = find_spec("pillow_heif") is not None
KINDS = ("JPEG", "PNG", "GIF", "WEBP", *(("HEIF",) if HEIF_IS_HERE else ()))
NAMES = ("../../etc/passwd", "a.jpg\0.php", "C:\\evil.png", "‮gnp.exe", "x" * 4_000, ".htaccess")


def bombs() -> Iterator[HostileFile]:
    """Little files that decode, or claim to decode, to very much."""
    zeros = zlib.compress(bytes(1_000_000), 9)
    for side in (20_000, 65_535, 2**31 - 1):
        yield HostileFile("bomb", "big.png", png(side, side, zeros))
    yield HostileFile("bomb", "wide.png", png(2**30, 1, zeros))
    yield HostileFile("bomb", "none.png", png(0, 0, zeros))
    yield HostileFile("bomb", "half.png", png(5_000, 5_000, zeros))
    flat = zlib.compress(bytes(5_001 * 5_000), 9)
    yield HostileFile("bomb", "allowed.png", png(5_000, 5_000, flat), must_fail=False)
    deep = zlib.compress(bytes(10_001 * 5_000), 9)
    yield HostileFile("bomb", "deep.png", png(5_000, 5_000, deep, depth=16), must_fail=False)
    text = zlib.compress(bytes(50_000_000), 9)
    for kind in (b"zTXt", b"iCCP"):
        extra = png_chunk(kind, b"a\0\0" + text)
        yield HostileFile("bomb", "text.png", png(8, 8, zlib.compress(bytes(72)), extra), False)
    tiny = png_chunk(b"teXt", b"")
    yield HostileFile("bomb", "chunks.png", png(8, 8, zeros, tiny * 200_000))
    jpeg = picture("JPEG")
    for size in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x40\0\x40\0"):
        at = jpeg.index(b"\xff\xc0") + 5
        yield HostileFile("bomb", "size.jpg", jpeg[:at] + size + jpeg[at + 4 :])
    yield _scan_bomb()
    yield HostileFile("bomb", "frames.gif", _gif_of(5_000))
    yield HostileFile("bomb", "blocks.gif", picture("GIF")[:-2] + b"\1\0" * 2_000_000 + b"\0;")
    if HEIF_IS_HERE:
        yield from _heif_bombs()
    webp = bytearray(picture("WEBP"))
    webp[26:30] = b"\xff\x3f\xff\x3f"
    yield HostileFile("bomb", "size.webp", bytes(webp))


def _heif_bombs() -> Iterator[HostileFile]:
    """Sizes that the coded picture does not have, within the limits and far over them."""
    data = picture("HEIF")
    at = data.index(b"ispe") + 8
    for width, height, must_fail in (
        (65_535, 65_535, True),
        (2**32 - 1, 2**32 - 1, True),
        (0, 0, True),
        (8_064, 6_048, True),
        (4_999, 5_000, False),
    ):
        size = struct.pack(">II", width, height)
        yield HostileFile("bomb", "size.heic", data[:at] + size + data[at + 8 :], must_fail)
    endless = struct.pack(">I", 8) + b"free"
    yield HostileFile("bomb", "boxes.heic", data + endless * 200_000)


def _scan_bomb() -> HostileFile:
    """A progressive JPEG whose last scan is repeated: each is a pass over every block."""
    file = io.BytesIO()
    Image.new("RGB", (4_000, 4_000)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return HostileFile("bomb", "scans.jpg", data[:last] + data[last:-2] * 1_500 + b"\xff\xd9")


def _gif_of(frames: int) -> bytes:
    data = picture("GIF", (16, 16))
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start] + data[start:-1] * frames + b";"


def disguises() -> Iterator[HostileFile]:
    """Other kinds of files, called pictures."""
    others = {
        "svg": SVG,
        "html": HTML,
        "pdf": PDF,
        "zip": archive(),
        "gzip": zlib.compress(b"0" * 100),
        "elf": b"\x7fELF" + bytes(200),
        "exe": b"MZ" + bytes(200),
        "php": b"<?php system($_GET['c']); ?>",
        "empty": b"",
        "byte": b"\xff",
        "text": b"hello",
        "mvg": b"push graphic-context\nfill 'url(https://127.0.0.1/)'",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n",
    }
    for other, data in others.items():
        yield HostileFile("disguise", f"{other}.jpg", data)
    for kind in ("BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "JPEG2000"):
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, kind)
        yield HostileFile("disguise", f"{kind}.png", file.getvalue())
    for magic in (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x10\0\0\0WEBP"):
        for rest in (b"", bytes(64), SVG, HTML):
            yield HostileFile("disguise", "magic.jpg", magic + rest)


def polyglots() -> Iterator[HostileFile]:
    """Real pictures that are something else as well."""
    for kind in KINDS:
        good = picture(kind)
        for tail in (archive(), PDF, HTML, SVG, b"#!/bin/sh\nid", bytes(99) + b"x", good[:60]):
            yield HostileFile("polyglot", f"tail.{kind}", good + tail)
    if HEIF_IS_HERE:
        good = picture("HEIF")
        for kind, payload in product((b"free", b"uuid", b"junk"), (HTML, SVG, archive(), PDF)):
            box = struct.pack(">I", 8 + len(payload)) + kind + payload
            yield HostileFile("polyglot", "box.heic", good + box)
    for payload in (HTML, SVG, archive(), PDF, b"<?php system('id') ?>"):
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "JPEG", comment=payload)
        yield HostileFile("polyglot", "comment.jpg", file.getvalue())
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", payload.decode("latin-1"))
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "PNG", pnginfo=info)
        yield HostileFile("polyglot", "text.png", file.getvalue())
        file = io.BytesIO()
        Image.new("P", (16, 16)).save(file, "GIF", comment=payload)
        yield HostileFile("polyglot", "comment.gif", file.getvalue())
        file = io.BytesIO()
        Image.new("RGB", (16, 16)).save(file, "WEBP", xmp=payload)
        yield HostileFile("polyglot", "xmp.webp", file.getvalue())


def truncated(rng: random.Random, count: int) -> Iterator[HostileFile]:
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        good = picture(kind, seed=index)
        yield HostileFile("truncated", f"cut.{kind}", good[: rng.randrange(1, len(good) - 1)])


def fuzzed(rng: random.Random, count: int) -> Iterator[HostileFile]:
    """Real pictures with some bytes changed, put in or left out."""
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        data = bytearray(picture(kind, seed=index))
        for _ in range(rng.choice((1, 3, 10, 50))):
            at = rng.randrange(4, len(data))
            change = rng.random()
            if change < 0.7:
                data[at] = rng.randrange(256)
            elif change < 0.85:
                del data[at : at + rng.randrange(1, 9)]
            else:
                data[at:at] = rng.randbytes(rng.randrange(1, 9))
        name = rng.choice(NAMES)
        yield HostileFile("fuzzed", name, bytes(data), must_fail=False)


def hostile_files(count: int = 500, seed: int = 20) -> list[HostileFile]:
    """``count`` hostile files of all kinds, the same ones for the same seed."""
    rng = random.Random(seed)
    made = [*bombs(), *disguises(), *polyglots()]
    made.extend(truncated(rng, 150))
    made.extend(fuzzed(rng, max(0, count - len(made))))
    return made[:count]
