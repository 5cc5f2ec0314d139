"""The given detectors on the given photographs: recognized, added, and as precise as references
written independently."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from discern.catalog.pull import add
from discern.catalog.store import Store
from discern.cli.evaluate_detection import detection
from discern.vision.contract import OpenedImage
from discern.vision.detect import load_bundle_detector, load_file_detector
from tests.core.boxes import one_overlap

SHARED = Path(
    os.environ.get("DISCERN_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")
) / "vision"  # fmt: skip
needs_models = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not here")
MODELS = {
    "yolox_nano.onnx": ("yolox", 0.25),
    "picodet_s_416_coco.onnx": ("picodet", 0.31),
    "FastestDet.onnx": ("fastestdet", 0.14),
}


@needs_models
@pytest.mark.parametrize("name", list(MODELS))
def test_the_given_models_are_recognized(name: str) -> None:
    pytest.importorskip("onnxruntime")
    assert load_file_detector(SHARED / "models" / name).family.name == MODELS[name][0]


@needs_models
def test_an_added_file_answers_like_the_file_itself(tmp_path: Path) -> None:
    store = Store(tmp_path, shipped=tmp_path / "none")
    file = SHARED / "models" / "yolox_nano.onnx"
    bundle = add(
        file,
        name="mine",
        task="object-detection",
        preprocessing={"family": "yolox"},
        store=store,
    )
    image = _open(next(iter(sorted((SHARED / "images").iterdir()))))
    [expected] = load_file_detector(file).detect([image])
    [found] = load_bundle_detector(bundle).detect([image])
    assert found.objects == expected.objects
    assert (found.model_name, found.model_version) == ("mine", "1.0.0")


@needs_models
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(MODELS))
def test_average_precision_is_that_of_an_independent_reference(name: str) -> None:
    pytest.importorskip("pycocotools")
    arguments = ["--images", str(SHARED / "images"), "--json"]
    arguments += ["--annotations", str(SHARED / "instances.json")]
    arguments += ["--model", str(SHARED / "models" / name)]
    figures = json.loads(CliRunner().invoke(detection, arguments).stdout)
    expected = _reference_precision(name)
    assert figures["map"] == pytest.approx(expected, abs=0.005)
    assert figures["map"] > MODELS[name][1]
    assert figures["ap50"] > figures["map"]
    assert figures["images_per_second"] > 0


def _open(path: Path) -> OpenedImage:
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB"))
    return OpenedImage(pixels, pixels.shape[1], pixels.shape[0], "JPEG", 1)


def _reference_precision(name: str) -> float:
    """Straight from the papers and the families' own repositories, one box at a time."""
    import onnxruntime
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(SHARED / "models" / name), options, providers=["CPUExecutionProvider"]
    )
    truth = json.loads((SHARED / "instances.json").read_text())
    rows: list[dict[str, Any]] = []
    for entry in truth["images"]:
        with Image.open(SHARED / "images" / entry["file_name"]) as file:
            pixels = np.asarray(file.convert("RGB")).astype(np.float32)
        for score, label, box in REFERENCES[name](session, pixels):
            left, top = max(box[0], 0.0), max(box[1], 0.0)
            right, bottom = min(box[2], pixels.shape[1]), min(box[3], pixels.shape[0])
            row = {"image_id": entry["id"], "category_id": label + 1, "score": score}
            rows.append(row | {"bbox": [left, top, right - left, bottom - top]})
    with contextlib.redirect_stdout(io.StringIO()):
        expected = COCO()
        expected.dataset = {"info": {}, **truth}
        expected.createIndex()
        judge = COCOeval(expected, expected.loadRes(rows), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return float(judge.stats[0])


Answer = tuple[float, int, list[float]]


def _sample(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear sampling at cell centers, in floating point."""
    rows, columns = pixels.shape[:2]
    y = np.clip((np.arange(height) + 0.5) * rows / height - 0.5, 0, rows - 1)
    x = np.clip((np.arange(width) + 0.5) * columns / width - 0.5, 0, columns - 1)
    y0, x0 = y.astype(int), x.astype(int)
    y1, x1 = np.minimum(y0 + 1, rows - 1), np.minimum(x0 + 1, columns - 1)
    down, across = (y - y0)[:, None, None], (x - x0)[None, :, None]
    upper = pixels[y0][:, x0] * (1 - across) + pixels[y0][:, x1] * across
    lower = pixels[y1][:, x0] * (1 - across) + pixels[y1][:, x1] * across
    return upper * (1 - down) + lower * down


def _best(answers: list[Answer], overlap: float) -> list[Answer]:
    kept: dict[int, list[Answer]] = {}
    ranked = sorted(answers, key=lambda answer: -answer[0])[:1000]
    for answer in ranked:
        rivals = kept.setdefault(answer[1], [])
        if all(one_overlap(other[2], answer[2]) <= overlap for other in rivals):
            rivals.append(answer)
    return sorted((a for group in kept.values() for a in group), key=lambda a: -a[0])[:100]


def _reference_yolox(session: Any, pixels: np.ndarray) -> list[Answer]:
    ratio = min(416 / pixels.shape[0], 416 / pixels.shape[1])
    width, height = int(pixels.shape[1] * ratio), int(pixels.shape[0] * ratio)
    canvas = np.full((416, 416, 3), 114, dtype=np.float32)
    canvas[:height, :width] = _sample(pixels, width, height)[:, :, ::-1]
    [rows] = session.run(None, {"images": canvas.transpose(2, 0, 1)[None]})[0]
    answers: list[Answer] = []
    index = 0
    for stride in (8, 16, 32):
        for y in range(416 // stride):
            for x in range(416 // stride):
                row = rows[index]
                index += 1
                if row[4] < 0.001:
                    continue
                label = int(row[5:].argmax())
                score = float(row[4] * row[5 + label])
                if score < 0.001:
                    continue
                cx, cy = (row[0] + x) * stride / ratio, (row[1] + y) * stride / ratio
                w, h = math.exp(row[2]) * stride / ratio, math.exp(row[3]) * stride / ratio
                box = [float(v) for v in (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)]
                answers.append((score, label, box))
    return _best(answers, 0.65)


def _reference_picodet(session: Any, pixels: np.ndarray) -> list[Answer]:
    image = _sample(pixels, 416, 416) / 255
    image = (image - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    outputs = session.run(None, {"image": image.astype(np.float32).transpose(2, 0, 1)[None]})
    scale_x, scale_y = pixels.shape[1] / 416, pixels.shape[0] / 416
    answers: list[Answer] = []
    for level, stride in enumerate((8, 16, 32, 64)):
        cells = math.ceil(416 / stride)
        scores, sides = outputs[level][0], outputs[level + 4][0]
        for index, label in np.argwhere(scores > 0.02).tolist():
            cx, cy = (index % cells + 0.5) * stride, (index // cells + 0.5) * stride
            weights = np.exp(sides[index].reshape(4, 8))
            far = (weights * np.arange(8)).sum(1) / weights.sum(1) * stride
            box = [(cx - far[0]) * scale_x, (cy - far[1]) * scale_y,
                   (cx + far[2]) * scale_x, (cy + far[3]) * scale_y]  # fmt: skip
            answers.append((float(scores[index, label]), label, [float(v) for v in box]))
    return _best(answers, 0.6)


def _reference_fastestdet(session: Any, pixels: np.ndarray) -> list[Answer]:
    picture = Image.fromarray(pixels.astype(np.uint8)).resize((352, 352), Image.Resampling.BILINEAR)
    image = np.asarray(picture).astype(np.float32)[:, :, ::-1] / 255
    [grid] = session.run(None, {"input.1": image.transpose(2, 0, 1)[None]})[0]
    height, width = pixels.shape[:2]
    answers: list[Answer] = []
    for y in range(22):
        for x in range(22):
            cell = grid[:, y, x]
            label = int(cell[5:].argmax())
            score = float(cell[0] * cell[5 + label])
            if score < 0.001:
                continue
            cx, cy = (x + math.tanh(cell[1])) / 22, (y + math.tanh(cell[2])) / 22
            w, h = 1 / (1 + math.exp(-cell[3])), 1 / (1 + math.exp(-cell[4]))
            box = [(cx - w / 2) * width, (cy - h / 2) * height,
                   (cx + w / 2) * width, (cy + h / 2) * height]  # fmt: skip
            answers.append((score, label, box))
    return _best(answers, 0.45)


REFERENCES = {
    "yolox_nano.onnx": _reference_yolox,
    "picodet_s_416_coco.onnx": _reference_picodet,
    "FastestDet.onnx": _reference_fastestdet,
}
