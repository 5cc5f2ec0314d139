"""The program of a decoding process: reads picture files from a socket, writes pixels to a shared
file. Runs isolated, by path, with only the standard library and Pillow; see ``sandbox``."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import signal
import socket
import struct
import sys
import warnings
from typing import Any

from PIL import Image, ImageCms, ImageFile

FORMATS = ("JPEG", "PNG", "GIF", "WEBP")
_ORIENTATION_TAG = 0x0112
_WHITE = (255, 255, 255, 255)
_HEADER = struct.Struct("!II")
_LARGE = 24_000_000
_NEAR = 7 / 8
"""A picture of more than ``_LARGE`` pixels may come this much shorter than asked for where that
saves work: one of 8,064 across is decoded straight to its half, of 4,032, instead of whole and then
shrunk to 4,096."""

_CLEAR = 6_000_000
"""The most pixels kept of a picture with clear parts: it is stored as PNG, and packing one takes
four times what a JPEG does."""

_RUNS = 3
"""Zlib's strategy for runs alone (``Z_RLE``): a fifth of the time for a file about as large."""

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Refused(Exception):
    """A refusal with the code that the caller turns into an error of the family."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def decode(data: bytes, request: dict[str, Any]) -> tuple[Image.Image, tuple[int, int], int]:
    """The first frame, upright and no larger than ``max_side`` (a large one may be an
    eighth smaller than that), in its own mode; the upright size of the whole picture; and the
    number of frames."""
    image = _open(data, request)
    width, height = image.size
    if width * height > request["max_pixels"] or max(width, height) > request["max_size"]:
        raise Refused("too_large", f"it decodes to {width:,} x {height:,} pixels")
    orientation = _orientation(image)
    scale = min(1.0, request["max_side"] / max(width, height))
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        near = _NEAR if width * height > _LARGE else 1.0
        # Never below what is asked for, which is why less is asked for.
        image.draft(None, (round(target[0] * near), round(target[1] * near)))
    image.load()
    frames = int(getattr(image, "n_frames", 1))
    upright = _shrink(_to_bytes(image), target)
    if orientation in _TRANSPOSE:
        upright = upright.transpose(_TRANSPOSE[orientation])
    if orientation >= 5:
        width, height = height, width
    return upright, (width, height), frames


def _open(data: bytes, request: dict[str, Any]) -> ImageFile.ImageFile:
    wanted = request["format"]
    if wanted == "HEIF":
        try:
            import pillow_heif
        except ImportError:
            raise Refused(
                "unsupported_media", "HEIC pictures need the 'heic' extra, which is not installed"
            ) from None
        pillow_heif.register_heif_opener(thumbnails=False)
    elif wanted not in FORMATS:
        raise Refused("unsupported_media", "it is not an accepted kind of picture")
    return Image.open(io.BytesIO(data), formats=[wanted])


def _orientation(image: Image.Image) -> int:
    """A picture with unreadable metadata is taken as it stands."""
    with contextlib.suppress(Exception):
        value = image.getexif().get(_ORIENTATION_TAG, 1)
        return value if isinstance(value, int) else 1
    return 1


def _to_bytes(image: Image.Image) -> Image.Image:
    """A gray picture of 16 bits in 8, which is all that is kept of it; before anything else is
    done to it, for that would be done to four bytes a pixel. Of its 65,536 grays, one may be
    declared clear; it is shown as it is."""
    if image.mode != "I;16":
        return image
    gray = image.point(lambda value: value * (1 / 257)).convert("L")
    gray.info.pop("transparency", None)
    return gray


def _shrink(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    if image.mode in ("1", "P", "PA"):
        # Palette entries cannot be averaged, so colors come first.
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    longest = max(target)
    if max(image.size) <= longest:
        return image
    factor = math.ceil(max(image.size) / longest)
    if image.width * image.height > _LARGE and max(image.size) / factor >= longest * _NEAR:
        # Means of whole blocks cost a fraction of what a filter does.
        return image.reduce(factor)
    return image.resize(target, Image.Resampling.BILINEAR, reducing_gap=2.0)


def flatten(image: Image.Image) -> Image.Image:
    """RGB without transparency: what was clear becomes white, 16 bits become 8."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, _WHITE), layer).convert("RGB")
    return image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colors as sRGB, so that the profile can be dropped; a broken profile is ignored."""
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        changed = ImageCms.profileToProfile(
            image, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
        return changed if changed is not None else image
    return image


def encode(image: Image.Image, *, quality: int, keep_alpha: bool) -> tuple[bytes, str]:
    """The pixels alone as a new file: PNG when clear parts must survive, else JPEG, gray where the
    picture is, which is a third of the work."""
    out = io.BytesIO()
    if keep_alpha:
        _bare(image.convert("RGBA")).save(out, "PNG", compress_type=_RUNS)
        return out.getvalue(), "image/png"
    is_gray = image.mode == "L" and not image.has_transparency_data
    _bare(image if is_gray else flatten(image)).save(out, "JPEG", quality=quality, optimize=False)
    return out.getvalue(), "image/jpeg"


def _has_clear_parts(image: Image.Image) -> bool:
    """Many a picture says what is clear in it, and nothing is."""
    if not image.has_transparency_data:
        return False
    layer = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    lowest, _ = layer.getchannel("A").getextrema()
    return isinstance(lowest, int | float) and lowest < 255


def _within_clear(image: Image.Image) -> Image.Image:
    scale = min(1.0, math.sqrt(_CLEAR / (image.width * image.height)))
    return _shrink(image, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))


def _bare(image: Image.Image) -> Image.Image:
    """The pixels without what the file said besides: of an opened file, only its class knows more,
    and a copy is of none."""
    bare = image.copy()
    bare.info = {}
    return bare


def _encoded(image: Image.Image, request: dict[str, Any], reply: dict[str, Any]) -> bytes:
    """The picture's new file and, when one is wanted, a small one's behind it."""
    keep_alpha = request["keep_alpha"] and _has_clear_parts(image)
    if keep_alpha:
        image = _within_clear(image)
    image = _to_srgb(image, image.info.get("icc_profile"))
    reply["columns"], reply["rows"] = image.size
    body, reply["media_type"] = encode(image, quality=request["quality"], keep_alpha=keep_alpha)
    if wanted := request.get("thumbnail"):
        scale = min(1.0, wanted["max_side"] / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = _shrink(image, size)
        file, media_type = encode(small, quality=wanted["quality"], keep_alpha=keep_alpha)
        columns, rows = small.size
        reply["thumbnail"] = {
            "length": len(file),
            "media_type": media_type,
            "columns": columns,
            "rows": rows,
        }
        body += file
    return body


def answer(data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Carries out one request; the reply's bytes and its description."""
    image, (width, height), frames = decode(data, request)
    reply: dict[str, Any] = {"width": width, "height": height, "frames": frames}
    if request["verb"] == "encode":
        body = _encoded(image, request, reply)
    else:
        image = flatten(image)
        body = image.tobytes()
        reply["columns"], reply["rows"] = image.size
    return body, reply


def guarded_answer(data: bytes, request: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Like :func:`answer`, with every failure turned into a described one."""
    try:
        return answer(data, request)
    except Refused as refusal:
        return b"", {"error": refusal.code, "reason": str(refusal)}
    except MemoryError:
        return b"", {"error": "too_large", "reason": "it needs too much memory to decode"}
    except Exception as error:
        return b"", {"error": "corrupt_media", "reason": f"it does not decode ({_kind(error)})"}


def _kind(error: Exception) -> str:
    return "".join(" " + c.lower() if c.isupper() else c for c in type(error).__name__).strip()


def _limit_resources(memory_bytes: int) -> None:
    import resource

    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))


def _receive(channel: socket.socket, length: int) -> bytes:
    buffer = bytearray(length)
    view = memoryview(buffer)
    while view:
        count = channel.recv_into(view)
        if count == 0:
            raise SystemExit(0)
        view = view[count:]
    return bytes(buffer)


def serve(channel: socket.socket, shared: int, memory_bytes: int) -> None:
    """Answers until the other end closes. The processor time of each request is limited by a
    timer whose signal ends the process: nothing inside a codec can hold it off."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    Image.preinit()
    Image.init()
    _limit_resources(memory_bytes)
    while True:
        head_length, data_length = _HEADER.unpack(_receive(channel, _HEADER.size))
        request = json.loads(_receive(channel, head_length))
        data = _receive(channel, data_length)
        signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
        body, reply = guarded_answer(data, request)
        del data
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.ftruncate(shared, len(body))
        os.pwrite(shared, body, 0)
        reply["length"] = len(body)
        del body
        described = json.dumps(reply).encode()
        channel.sendall(_HEADER.pack(len(described), 0) + described)


if __name__ == "__main__":
    channel_fd, shared_fd, memory_limit = (int(argument) for argument in sys.argv[1:4])
    serve(socket.socket(fileno=channel_fd), shared_fd, memory_limit)
