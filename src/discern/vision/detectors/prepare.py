"""Turns a picture into the tensor that a detector's input wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from discern.vision.contract import OpenedImage

Tensor: TypeAlias = npt.NDArray[np.float32]

MAX_LINEAR_REDUCTION: Final = 2.0
"""Past this, four neighbors leave out pixels, and small objects with them."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture is fitted and normalized.

    ``stretch`` fills the input without keeping proportions; ``letterbox`` keeps them, with the
    picture at the top left and the value ``pad`` in the rest, and ``centered`` with the picture in
    the middle. Channels come in the order
    ``color``; each is ``(value - mean) / std`` of values from 0 to 255. ``linear`` samples the
    four nearest pixels, as OpenCV does for the models trained so; ``antialias`` averages all;
    ``smooth`` samples four of the means of three by three, which comes as close to the latter's
    precision in a fifth of its time.
    """

    fit: Literal["stretch", "letterbox", "centered"]
    color: Literal["rgb", "bgr"]
    resample: Literal["linear", "smooth", "antialias"] = "linear"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad: int = 114


@dataclass(frozen=True, slots=True)
class Placement:
    """Picture pixels per input pixel, the picture's own size, and the input pixel that its top
    left corner lies at."""

    scale_x: float
    scale_y: float
    width: int
    height: int
    left: int = 0
    top: int = 0


def prepare(
    image: OpenedImage, size: tuple[int, int], how: Preparation, *, out: Tensor | None = None
) -> tuple[Tensor, Placement]:
    """The picture as float32 of shape (3, height, width), and where it was put.

    Args:
        size: the input's (height, width) in pixels.
        out: where to write it; None for a new array.
    """
    height, width = size
    rows, columns = image.pixels.shape[:2]
    if how.fit == "stretch":
        new_width, new_height = width, height
    else:
        ratio = min(height / rows, width / columns)
        new_width, new_height = max(1, int(columns * ratio)), max(1, int(rows * ratio))
    left, top = 0, 0
    if how.fit == "centered":
        left, top = (width - new_width) // 2, (height - new_height) // 2
    canvas = np.empty((3, height, width), dtype=np.float32) if out is None else out
    padded = (new_width, new_height) != (width, height)
    planes = _planes(_resize(image.pixels, new_width, new_height, how.resample))
    for plane, values, mean, std in zip(
        canvas, planes if how.color == "rgb" else planes[::-1], how.mean, how.std, strict=True
    ):
        if padded:
            plane[:] = (how.pad - mean) / std
        part = plane[top : top + new_height, left : left + new_width]
        # Plane by plane: an array of three numbers spread over the planes is slower.
        np.multiply(values, np.float32(1.0 / std), out=part, dtype=np.float32)
        if mean:
            part -= np.float32(mean / std)
    placement = Placement(
        image.width / new_width, image.height / new_height, image.width, image.height, left, top
    )
    return canvas, placement


def _planes(pixels: npt.NDArray[np.uint8]) -> Sequence[npt.NDArray[np.uint8]]:
    opencv = _opencv()
    if opencv is None:
        return [pixels[:, :, color] for color in range(3)]
    planes: Sequence[npt.NDArray[np.uint8]] = opencv.split(pixels)
    return planes


def _resize(
    pixels: npt.NDArray[np.uint8], width: int, height: int, resample: str
) -> npt.NDArray[np.uint8]:
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    if max(rows / height, columns / width) <= MAX_LINEAR_REDUCTION:
        if resample == "linear":
            return _sample_linear(pixels, width, height)
        if resample == "smooth" and (opencv := _opencv()) is not None:
            blurred = opencv.blur(pixels, (3, 3))
            found: npt.NDArray[np.uint8] = opencv.resize(blurred, (width, height))
            return found
    smaller = Image.fromarray(pixels).resize(
        (width, height), Image.Resampling.BILINEAR, reducing_gap=3.0
    )
    return np.asarray(smaller)


def _sample_linear(pixels: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """By OpenCV where the text reader has brought it, a tenth of the time; by Pillow elsewhere,
    which differs by rounding alone."""
    opencv = _opencv()
    if opencv is not None:
        found: npt.NDArray[np.uint8] = opencv.resize(pixels, (width, height))
        return found
    rows, columns = pixels.shape[:2]
    # Pillow's own resize always averages; an affine transform does not.
    matrix = (columns / width, 0.0, 0.0, 0.0, rows / height, 0.0)
    sampled = Image.fromarray(pixels).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    return np.asarray(sampled)


def limit_threads(threads: int) -> None:
    """Prepares pictures on so many threads from here on, for the whole process. Waking more than
    one costs more processor time than it saves on pictures of this size."""
    if (opencv := _opencv()) is not None:
        opencv.setNumThreads(threads)


@lru_cache(maxsize=1)
def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        return None
    return cv2
