"""What crosses the wall of the vision room. All coordinates are pixels of the upright picture,
origin at its top left corner, x to the right and y down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from discern.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels: TypeAlias = npt.NDArray[np.uint8]

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""The largest picture file accepted, in bytes."""

MAX_IMAGE_PIXELS: Final = 50_000_000
"""The most pixels a picture may declare: above the 48 megapixels of current telephones."""

MAX_SLOW_IMAGE_PIXELS: Final = 25_000_000
"""The most pixels of a HEIC, WebP or PNG picture: twice as many would not be decoded within the
processor time that one picture gets. A JPEG is decoded at a half where it is large."""

SLOW_FORMATS: Final = frozenset({"HEIF", "WEBP", "PNG"})

MAX_IMAGE_SIDE: Final = 16_384
"""The longest side a picture may declare, in pixels."""

MAX_IMAGE_FRAMES: Final = 500
"""The most frames of a moving picture; only the first is read, the rest are only counted."""

MAX_JPEG_SCANS: Final = 64
"""The most scans of a progressive JPEG; cameras and editors write about ten."""

WORKING_SIDE: Final = 2_000
"""The longest side, in pixels, that is kept of a picture for the models to look at."""

DETECTION_TASK: Final = "object-detection"
TEXT_TASK: Final = "text-recognition"

DEFAULT_THRESHOLD: Final = 0.3
"""The least score of an object that is answered, unless the caller says otherwise."""

MAX_IMAGES: Final = 64
"""The most pictures accepted in one call."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a picture may cost. ``max_slow_pixels`` bounds the kinds of ``SLOW_FORMATS`` and
    ``max_pixels`` every kind; ``cpu_s`` and ``wall_s`` bound its decoding in seconds of processor
    and clock time; ``memory_bytes`` bounds the address space of the decoding process."""

    max_bytes: int = MAX_IMAGE_BYTES
    max_pixels: int = MAX_IMAGE_PIXELS
    max_slow_pixels: int = MAX_SLOW_IMAGE_PIXELS
    max_side: int = MAX_IMAGE_SIDE
    max_frames: int = MAX_IMAGE_FRAMES
    max_scans: int = MAX_JPEG_SCANS
    cpu_s: float = 0.95
    wall_s: float = 5.0
    memory_bytes: int = 1024 * 1024 * 1024

    def pixels_of(self, kind: str) -> int:
        """The most pixels that a picture of this kind, as :class:`ImageInfo` names it, may have."""
        slow = kind in SLOW_FORMATS
        return min(self.max_pixels, self.max_slow_pixels) if slow else self.max_pixels


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What the structure of a file says before anything of it is decoded. ``width`` and
    ``height`` are pixels as stored, before its orientation is applied."""

    format: str
    media_type: str
    width: int
    height: int
    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class OpenedImage:
    """A decoded picture, upright, without transparency.

    ``pixels`` has shape (rows, columns, 3), RGB, 0 to 255. It may be smaller than the picture:
    ``width`` and ``height`` are the upright picture's own pixels, and every coordinate this room
    answers is in those.
    """

    pixels: Pixels
    width: int
    height: int
    format: str
    frames: int

    @property
    def scale_x(self) -> float:
        """Picture pixels per working pixel, across."""
        return self.width / int(self.pixels.shape[1])

    @property
    def scale_y(self) -> float:
        """Picture pixels per working pixel, down."""
        return self.height / int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class SanitizedImage:
    """A picture written anew from its pixels alone: no EXIF, GPS, ICC, comments or trailers."""

    data: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle; ``xmin < xmax`` and ``ymin < ymax``, inside the picture."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    def to_dict(self) -> dict[str, float]:
        return {"xmin": self.xmin, "ymin": self.ymin, "xmax": self.xmax, "ymax": self.ymax}


@dataclass(frozen=True, slots=True)
class DetectedObject:
    """One object; ``score`` is between 0 and 1 and is not a calibrated probability."""

    label: str
    score: float
    box: Box

    def to_dict(self) -> dict[str, Any]:
        return {"label": self.label, "score": self.score, "box": self.box.to_dict()}


@dataclass(frozen=True, slots=True)
class DetectionResult:
    """The objects of one picture, best first, with the picture's upright size in pixels."""

    objects: tuple[DetectedObject, ...]
    width: int
    height: int
    model_name: str
    model_version: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "objects": [found.to_dict() for found in self.objects],
            "width": self.width,
            "height": self.height,
            "model": {"name": self.model_name, "version": self.model_version},
        }


Quad: TypeAlias = tuple[
    tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]
]
"""Four corners (x, y), clockwise from the text's own top left, so that slanted text fits."""


@dataclass(frozen=True, slots=True)
class TextWord:
    """One word (for scripts written without spaces, one character) and where it stands."""

    text: str
    score: float
    quad: Quad

    def to_dict(self) -> dict[str, Any]:
        return {"text": self.text, "score": self.score, "quad": [list(c) for c in self.quad]}


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text with its words, left to right; ``score`` is between 0 and 1."""

    text: str
    score: float
    quad: Quad
    words: tuple[TextWord, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "score": self.score,
            "quad": [list(corner) for corner in self.quad],
            "words": [word.to_dict() for word in self.words],
        }


@dataclass(frozen=True, slots=True)
class TextResult:
    """The text of one picture in reading order; ``text`` joins the lines with line breaks."""

    text: str
    lines: tuple[TextLine, ...]
    width: int
    height: int
    model_name: str
    model_version: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "lines": [line.to_dict() for line in self.lines],
            "width": self.width,
            "height": self.height,
            "model": {"name": self.model_name, "version": self.model_version},
        }


def check_threshold(threshold: object) -> float:
    """Returns ``threshold``, or raises :class:`InvalidInput` when it is not between 0 and 1."""
    if not isinstance(threshold, int | float) or not 0 < threshold < 1:
        raise InvalidInput("'threshold' must be above 0 and below 1.", field="threshold")
    return float(threshold)


def detection_from_dict(data: dict[str, Any]) -> DetectionResult:
    """Rebuilds a result from :meth:`DetectionResult.to_dict`, for a remote engine."""
    return DetectionResult(
        objects=tuple(
            DetectedObject(item["label"], item["score"], Box(**item["box"]))
            for item in data["objects"]
        ),
        width=data["width"],
        height=data["height"],
        model_name=data["model"]["name"],
        model_version=data["model"]["version"],
    )


def text_from_dict(data: dict[str, Any]) -> TextResult:
    """Rebuilds a result from :meth:`TextResult.to_dict`, for a remote engine."""
    return TextResult(
        text=data["text"],
        lines=tuple(
            TextLine(
                text=line["text"],
                score=line["score"],
                quad=_quad(line["quad"]),
                words=tuple(
                    TextWord(word["text"], word["score"], _quad(word["quad"]))
                    for word in line["words"]
                ),
            )
            for line in data["lines"]
        ),
        width=data["width"],
        height=data["height"],
        model_name=data["model"]["name"],
        model_version=data["model"]["version"],
    )


def _quad(corners: list[list[float]]) -> Quad:
    first, second, third, fourth = ((corner[0], corner[1]) for corner in corners)
    return (first, second, third, fourth)
