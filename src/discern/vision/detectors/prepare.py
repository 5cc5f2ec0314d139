"""Turns a picture into the tensor that a detector's input wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

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
    picture at the top left and the value ``pad`` in the rest. Channels come in the order
    ``color``; each is ``(value - mean) / std`` of values from 0 to 255. ``linear`` samples the
    four nearest pixels, as OpenCV does for the models trained so; ``antialias`` averages all.
    """

    fit: Literal["stretch", "letterbox"]
    color: Literal["rgb", "bgr"]
    resample: Literal["linear", "antialias"] = "linear"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pad: int = 114


@dataclass(frozen=True, slots=True)
class Placement:
    """Picture pixels per input pixel, and the picture's own size."""

    scale_x: float
    scale_y: float
    width: int
    height: int


def prepare(
    image: OpenedImage, size: tuple[int, int], how: Preparation
) -> tuple[Tensor, Placement]:
    """The picture as float32 of shape (3, height, width), and where it was put.

    Args:
        size: the input's (height, width) in pixels.
    """
    height, width = size
    rows, columns = image.pixels.shape[:2]
    if how.fit == "stretch":
        new_width, new_height = width, height
    else:
        ratio = min(height / rows, width / columns)
        new_width, new_height = max(1, int(columns * ratio)), max(1, int(rows * ratio))
    resized = _resize(image.pixels, new_width, new_height, how.resample)
    canvas = np.full((3, height, width), how.pad, dtype=np.float32)
    channels = resized if how.color == "rgb" else resized[:, :, ::-1]
    canvas[:, :new_height, :new_width] = channels.transpose(2, 0, 1)
    if how.mean != (0.0, 0.0, 0.0) or how.std != (1.0, 1.0, 1.0):
        canvas -= np.array(how.mean, dtype=np.float32).reshape(3, 1, 1)
        canvas /= np.array(how.std, dtype=np.float32).reshape(3, 1, 1)
    placement = Placement(
        image.width / new_width, image.height / new_height, image.width, image.height
    )
    return canvas, placement


def _resize(
    pixels: npt.NDArray[np.uint8], width: int, height: int, resample: str
) -> npt.NDArray[np.uint8]:
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    picture = Image.fromarray(pixels)
    if resample == "linear" and max(rows / height, columns / width) <= MAX_LINEAR_REDUCTION:
        # Pillow's own resize always averages; an affine transform does not.
        matrix = (columns / width, 0.0, 0.0, 0.0, rows / height, 0.0)
        return np.asarray(
            picture.transform(
                (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
            )
        )
    smaller = picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(smaller)
