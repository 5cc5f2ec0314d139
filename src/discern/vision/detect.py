"""Finds objects in opened pictures with a detector loaded from a bundle or a bare ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from discern.catalog.manifest import Bundle, sha256_of
from discern.errors import BundleInvalid, TooLarge
from discern.vision.contract import (
    DEFAULT_THRESHOLD,
    DETECTION_TASK,
    MAX_IMAGES,
    Box,
    DetectedObject,
    DetectionResult,
    OpenedImage,
    check_threshold,
)
from discern.vision.detectors.decode import Array
from discern.vision.detectors.families import Family, family_named, recognize
from discern.vision.detectors.labels import COCO_LABELS
from discern.vision.detectors.prepare import MAX_LINEAR_REDUCTION, Placement, limit_threads, prepare
from discern.vision.detectors.suppress import suppress

if TYPE_CHECKING:
    from discern.inference.contract import Session

MAX_OBJECTS: Final = 100
_BATCH: Final = 8


class Detector:
    """A loaded detector; its methods may be called from several threads at once.

    Args:
        session: the loaded model file, with one image input (batch, 3, height, width).
        family: how it wants its picture and how its outputs read.
        labels: the name of each class, in the order of the outputs.
        name, version: what results say made them.
        size: the input's (height, width), needed only where the model leaves it open.
    """

    def __init__(
        self,
        session: Session,
        family: Family,
        labels: Sequence[str],
        *,
        name: str,
        version: str,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.session = session
        self.family = family
        self.labels = tuple(labels)
        self.name = name
        self.version = version
        self._input = session.inputs[0]
        self.size = _input_size(session, size)

    @property
    def working_side(self) -> int:
        """The longest side at which to open a picture for this detector; more is not looked at."""
        return int(MAX_LINEAR_REDUCTION * max(self.size))

    def detect(
        self,
        images: Sequence[OpenedImage],
        *,
        threshold: float = DEFAULT_THRESHOLD,
        limit: int = MAX_OBJECTS,
    ) -> list[DetectionResult]:
        """The objects of each picture, best first, at most ``limit``.

        Args:
            threshold: the least score, above 0 and below 1.

        Raises:
            InvalidInput: a threshold or limit out of range.
            TooLarge: more pictures than :data:`~discern.vision.contract.MAX_IMAGES`.
            InferenceFailed: the runtime failed.
        """
        check_threshold(threshold)
        if len(images) > MAX_IMAGES:
            raise TooLarge(
                f"'images' holds {len(images)} pictures; the limit is {MAX_IMAGES}.",
                field="images",
                limit=MAX_IMAGES,
            )
        results: list[DetectionResult] = []
        step = _BATCH if self._input.shape[0] == -1 else 1
        for start in range(0, len(images), step):
            results.extend(self._detect(images[start : start + step], threshold, limit))
        return results

    def _detect(
        self, images: Sequence[OpenedImage], threshold: float, limit: int
    ) -> list[DetectionResult]:
        batch = np.empty((len(images), 3, *self.size), dtype=np.float32)
        how = self.family.preparation
        placements = [
            prepare(image, self.size, how, out=tensor)[1]
            for image, tensor in zip(images, batch, strict=True)
        ]
        outputs = self.session.run({self._input.name: batch})
        return [
            self._result([output[index] for output in outputs], placement, threshold, limit)
            for index, placement in enumerate(placements)
        ]

    def _result(
        self, outputs: list[Array], placement: Placement, threshold: float, limit: int
    ) -> DetectionResult:
        found = self.family.decode(outputs, self.size, threshold)
        if len(found.scores) and found.scores.shape[1] != len(self.labels):
            raise BundleInvalid(
                f"{self.name} has {found.scores.shape[1]} classes but {len(self.labels)} labels.",
                field="labels",
            )
        boxes, scores, classes = suppress(
            found,
            threshold=threshold,
            max_overlap=self.family.max_overlap,
            every_class=self.family.every_class,
            limit=limit,
        )
        placed = (_placed(corners, placement) for corners in boxes.tolist())
        objects = tuple(
            DetectedObject(self.labels[label], min(score, 1.0), box)
            for box, score, label in zip(placed, scores.tolist(), classes.tolist(), strict=True)
            if box.xmax > box.xmin and box.ymax > box.ymin
        )
        return DetectionResult(objects, placement.width, placement.height, self.name, self.version)


def _placed(corners: Sequence[float], placement: Placement) -> Box:
    # Number by number: of a few boxes, arrays would cost more than what they hold.
    xmin, ymin, xmax, ymax = corners
    across, down, left, top = placement.scale_x, placement.scale_y, placement.left, placement.top
    width, height = float(placement.width), float(placement.height)
    return Box(
        min(max((xmin - left) * across, 0.0), width),
        min(max((ymin - top) * down, 0.0), height),
        min(max((xmax - left) * across, 0.0), width),
        min(max((ymax - top) * down, 0.0), height),
    )


def load_bundle_detector(bundle: Bundle, *, threads: int = 1) -> Detector:
    """The detector of a catalog bundle, as its manifest describes it.

    The table ``[preprocessing]`` names the ``family`` and may state ``size``, ``fit``, ``color``,
    ``resample``, ``mean``, ``std`` and ``pad`` where they differ from the family's own.

    Raises:
        BundleInvalid: not a detector, or a description that does not fit its model file.
    """
    from discern.inference.session import open_session

    manifest = bundle.manifest
    if manifest.task != DETECTION_TASK:
        raise BundleInvalid(f"{manifest.name} is a model for '{manifest.task}'.", field="task")
    model = next((file.path for file in manifest.files if file.path.endswith(".onnx")), None)
    if model is None:
        raise BundleInvalid(f"{manifest.name} lists no .onnx file.", field="files")
    session = open_session(bundle.path(model), threads=threads)
    limit_threads(threads)
    table = manifest.preprocessing
    size = _stated_size(table.get("size"))
    family = family_of(session, table.get("family"), size, table)
    labels = manifest.labels or COCO_LABELS
    return Detector(
        session, family, labels, name=manifest.name, version=manifest.version, size=size
    )


def load_file_detector(
    path: Path, *, family: str | None = None, labels: Sequence[str] | None = None, threads: int = 1
) -> Detector:
    """The detector in a bare ONNX file; its version is the start of its SHA-256.

    Args:
        family: one of :data:`~discern.vision.detectors.families.FAMILIES`; None to recognize it.
        labels: the names of its classes; None for those of COCO.

    Raises:
        BundleInvalid: not a readable ONNX file, or of no recognizable family.
    """
    from discern.inference.session import open_session

    session = open_session(path, threads=threads)
    limit_threads(threads)
    chosen = family_of(session, family)
    return Detector(
        session,
        chosen,
        labels or COCO_LABELS,
        name=path.stem.lower(),
        version=sha256_of(path)[:12],
    )


def family_of(
    session: Session,
    name: object = None,
    size: tuple[int, int] | None = None,
    options: object = None,
) -> Family:
    """The family that ``name`` names, or the one that the outputs' shapes tell."""
    chosen = (
        str(name)
        if name
        else recognize(
            [output.shape for output in session.outputs], _input_size(session, size)
        ).name
    )
    return family_named(chosen, options if isinstance(options, dict) else None)


def _input_size(session: Session, size: tuple[int, int] | None) -> tuple[int, int]:
    if len(session.inputs) != 1 or len(session.inputs[0].shape) != 4:
        raise BundleInvalid("A detector has one input (batch, 3, height, width).", field="inputs")
    height, width = session.inputs[0].shape[2:]
    if height > 0 and width > 0:
        return height, width
    if size is None:
        raise BundleInvalid(
            "The model leaves its input size open; state it as 'size' in [preprocessing].",
            field="size",
        )
    return size


def _stated_size(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(side, int) and 32 <= side <= 2_048 for side in value)
    ):
        return value[0], value[1]
    raise BundleInvalid("'size' must be [height, width], each from 32 to 2048.", field="size")
