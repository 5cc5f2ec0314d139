"""Average precision of a detector by the rules of COCO, counted by pycocotools."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any, Final

from discern.errors import InvalidInput, MissingExtra
from discern.vision.contract import DetectionResult
from discern.vision.detect import Detector
from discern.vision.images import open_image

EVALUATION_THRESHOLD: Final = 0.001
"""Average precision ranks all answers, so nearly all are kept."""


@dataclass(frozen=True, slots=True)
class DetectionQuality:
    """``map`` is the mean over IoU .50 to .95, ``ap50`` that at .50 (both 0 to 1);
    ``images_per_second`` counts everything from the file's bytes to the boxes, on one thread."""

    map: float
    ap50: float
    images_per_second: float
    images: int


def evaluate(
    detector: Detector,
    images: Path,
    annotations: Path,
    *,
    threshold: float = EVALUATION_THRESHOLD,
    advance: Callable[[int], None] = lambda _: None,
) -> DetectionQuality:
    """Judges ``detector`` on the pictures of a COCO file.

    Categories are matched with labels by name, or by position where the two lists are equally
    long and mostly agree (``aeroplane`` and ``airplane``); ids may be numbered in any way.

    Raises:
        MissingExtra: pycocotools is not installed.
        InvalidInput: a file that is not COCO's, without labels of the detector, or a picture that
            is missing.
    """
    if util.find_spec("pycocotools") is None:
        raise MissingExtra("This needs: pip install 'discern[detection-eval]'.")
    truth = _read_annotations(annotations)
    identifiers = match_categories(detector.labels, truth["categories"])
    rows: list[dict[str, Any]] = []
    seconds = 0.0
    for entry in truth["images"]:
        data = _read_picture(images, str(entry["file_name"]))
        started = time.perf_counter()
        image = open_image(data, max_side=detector.working_side)
        [result] = detector.detect([image], threshold=threshold)
        seconds += time.perf_counter() - started
        rows.extend(_rows(result, int(entry["id"]), identifiers))
        advance(1)
    precision, precision_50 = _score(truth, rows)
    count = len(truth["images"])
    return DetectionQuality(precision, precision_50, count / seconds if seconds else 0.0, count)


def match_categories(
    labels: Sequence[str], categories: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """The category id of each label that has one.

    Raises:
        InvalidInput: no label has one.
    """
    ordered = sorted(categories, key=lambda row: int(row["id"]))
    by_name = {str(row["name"]): int(row["id"]) for row in ordered}
    found = {label: by_name[label] for label in labels if label in by_name}
    agreeing = sum(label == row["name"] for label, row in zip(labels, ordered, strict=False))
    if len(ordered) == len(labels) and agreeing * 2 > len(labels):
        return {label: int(row["id"]) for label, row in zip(labels, ordered, strict=True)}
    if not found:
        raise InvalidInput("The annotations name no class of the model.", field="annotations")
    return found


def _read_annotations(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if all(isinstance(data[key], list) for key in ("images", "annotations", "categories")):
            return dict(data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"'{path}' is not a COCO annotation file: {error}", field="annotations"
        ) from error
    raise InvalidInput(f"'{path}' is not a COCO annotation file.", field="annotations")


def _read_picture(folder: Path, name: str) -> bytes:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise InvalidInput(f"'{name}' is not in '{folder}'.", field="images")
    return path.read_bytes()


def _rows(
    result: DetectionResult, image_id: int, identifiers: dict[str, int]
) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image_id,
            "category_id": identifiers[found.label],
            "bbox": [
                found.box.xmin,
                found.box.ymin,
                found.box.xmax - found.box.xmin,
                found.box.ymax - found.box.ymin,
            ],
            "score": found.score,
        }
        for found in result.objects
        if found.label in identifiers
    ]


def _score(truth: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[float, float]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not rows:
        return 0.0, 0.0
    # The package reports its progress on standard output.
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCO()
        expected.dataset = {"info": {}, **truth}
        expected.createIndex()
        judge = COCOeval(expected, expected.loadRes(rows), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0]), float(judge.stats[1])
