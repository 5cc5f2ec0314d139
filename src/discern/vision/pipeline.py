"""``object-detection`` as the transformers pipeline of that name answers it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from discern.catalog.pull import DEFAULT_DETECTOR, pull
from discern.errors import DownloadFailed, InvalidInput, ModelNotReady
from discern.vision.contract import (
    MAX_IMAGE_BYTES,
    MAX_SLOW_IMAGE_PIXELS,
    DetectionResult,
    check_threshold,
)

if TYPE_CHECKING:
    from PIL import Image

DEFAULT_THRESHOLD: Final = 0.5


class DetectionEngine(Protocol):
    """The verb of an engine that this room needs."""

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = ...,
        deadline_s: float | None = None,
    ) -> DetectionResult: ...


def object_detection(
    engine: DetectionEngine,
    model: str | None = None,
    *,
    threshold: float = DEFAULT_THRESHOLD,
    pull: bool = False,
) -> ObjectDetectionPipeline:
    """The callable that ``discern.pipeline("object-detection")`` gives; ``pull`` lets the first
    picture fetch the detector where there is none."""
    return ObjectDetectionPipeline(engine, model, threshold=threshold, pull=pull)


class ObjectDetectionPipeline:
    """The objects in a picture, a list of pictures or an iterator of pictures.

    A picture is a path, a PIL image or the bytes of a file. Addresses are not fetched: a server
    that opens what a stranger names can be turned against its own network.
    """

    task = "object-detection"

    def __init__(
        self,
        engine: DetectionEngine,
        model: str | None = None,
        *,
        threshold: float = DEFAULT_THRESHOLD,
        pull: bool = False,
    ) -> None:
        self._pull = pull
        self._engine = engine
        self._model = model
        self._threshold = check_threshold(threshold)

    def __call__(self, inputs: Any, *, threshold: float | None = None, **options: Any) -> Any:
        """Answers ``[{"score", "label", "box": {"xmin", "ymin", "xmax", "ymax"}}, ...]`` for one
        picture, best first and in whole pixels, and a list of such lists for several.

        Raises:
            InvalidInput: not a picture, or an unknown option.
            UnsupportedMedia, CorruptMedia, TooLarge: see :mod:`discern.vision.images`.
        """
        unknown = sorted(set(options) - {"batch_size", "num_workers", "timeout"})
        if unknown:
            raise InvalidInput(f"'{unknown[0]}' is not an option of this pipeline.", field="inputs")
        least = self._threshold if threshold is None else check_threshold(threshold)
        if isinstance(inputs, str | bytes | Path) or hasattr(inputs, "convert"):
            return self._run(inputs, least)
        if isinstance(inputs, Sequence):
            return [self._run(item, least) for item in inputs]
        if isinstance(inputs, Iterable):
            return self._stream(iter(inputs), least)
        raise InvalidInput("Give a path, a PIL image, or a list of them.", field="inputs")

    def _stream(self, inputs: Iterator[Any], threshold: float) -> Iterator[Any]:
        for item in inputs:
            yield self._run(item, threshold)

    def _detect(self, data: bytes, threshold: float) -> DetectionResult:
        try:
            return self._engine.detect_objects(data, model=self._model, threshold=threshold)
        except ModelNotReady as missing:
            if not self._pull or missing.retry_after_s is not None:
                raise
            try:
                fetch_detector(self._model or DEFAULT_DETECTOR)
            except DownloadFailed as failure:
                raise missing from failure
        return self._engine.detect_objects(data, model=self._model, threshold=threshold)

    def _run(self, item: Any, threshold: float) -> list[dict[str, Any]]:
        result = self._detect(picture_bytes(item), threshold)
        return [
            {
                "score": found.score,
                "label": found.label,
                "box": {key: int(value) for key, value in found.box.to_dict().items()},
            }
            for found in result.objects
        ]


def fetch_detector(name: str) -> None:
    """Pulls a detector of the catalog, telling a terminal how far it is."""

    def report(done: int, total: int) -> None:
        if sys.stderr.isatty():
            end = "\n" if done == total else ""
            sys.stderr.write(f"\r{name}: {done / 1e6:.1f} of {total / 1e6:.1f} MB{end}")

    pull(name, progress=report)


def picture_bytes(item: str | bytes | Path | Image.Image) -> bytes:
    """The file of a picture given as a path, bytes or PIL image.

    A PIL image is turned upright as its EXIF orientation says, so that it gives what its file
    gives; one whose lossless file would be over a limit of this room becomes a JPEG.
    """
    if isinstance(item, bytes):
        return item
    if isinstance(item, str) and item.startswith(("http://", "https://", "data:")):
        raise InvalidInput(
            "Addresses are not fetched; give a path, bytes or a PIL image.", field="inputs"
        )
    if isinstance(item, str | Path):
        return _read(Path(item))
    if hasattr(item, "save"):
        return _encoded(item)
    raise InvalidInput("Give a path, a PIL image, or a list of them.", field="inputs")


def _encoded(image: Image.Image) -> bytes:
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    picture = upright if upright.mode in ("L", "RGB", "RGBA") else upright.convert("RGB")
    file = io.BytesIO()
    if picture.width * picture.height <= MAX_SLOW_IMAGE_PIXELS:
        # Level 1 is four times as fast as the default, and the file goes no further.
        picture.save(file, "PNG", compress_level=1)
        if len(file.getvalue()) <= MAX_IMAGE_BYTES:
            return file.getvalue()
        file = io.BytesIO()
    if picture.mode == "RGBA":
        # Clear parts lie on white, as they do when a file is opened.
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("RGB")
    picture.save(file, "JPEG", quality=95)
    return file.getvalue()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            # One byte more than accepted is enough for the refusal to be made.
            return file.read(MAX_IMAGE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InvalidInput(f"'{path}' cannot be read: {error}.", field="inputs") from error
