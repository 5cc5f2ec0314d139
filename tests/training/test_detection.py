"""Detectors made smaller: they still find what they found."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")

import onnx
from discern_training.detection import quantize as room
from discern_training.detection.quantize import find_photographs, quantize
from onnx import TensorProto, helper, numpy_helper

from discern.errors import InvalidInput
from discern.vision.detect import load_file_detector
from discern.vision.images import open_image

CHANNELS = 64


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector of FastestDet's shape: the brighter a cell, the surer a person."""
    rng = np.random.default_rng(11)
    spread = rng.uniform(0.5, 1.0, (CHANNELS, 3, 1, 1))
    mixed = rng.uniform(0, 1, (CHANNELS, CHANNELS, 1, 1))
    middle, quarter = math.atanh(0.5), math.log(0.25 / 0.75)
    rest = np.array([middle, middle, quarter, quarter, 1, *[0] * 79]).reshape(1, -1, 1, 1)
    weights = {
        "spread": spread / spread.sum(axis=1, keepdims=True),
        "mixed": mixed / mixed.sum(axis=1, keepdims=True),
        "again": mixed[::-1] / mixed[::-1].sum(axis=1, keepdims=True),
        "gather": np.full((1, CHANNELS, 1, 1), 1 / CHANNELS),
        "rest": np.tile(rest, (1, 1, 4, 4)),
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["a"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Conv", ["a", "spread"], ["b"], name="first"),
        helper.make_node("Conv", ["b", "mixed"], ["c"], name="second"),
        helper.make_node("Conv", ["c", "again"], ["d"], name="third"),
        helper.make_node("Conv", ["d", "gather"], ["bright"], name="last"),
        helper.make_node("Concat", ["bright", "rest"], ["found"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 85, 4, 4])],
        [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("detector") / "detector.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(12)
    for number, ending in enumerate(["jpg", "JPG", "jpeg", "JPEG", "png", "Png"] * 2):
        grain = rng.integers(0, 256, (4, 4, 3), np.uint8)
        if number == 0:
            # The darkest and the brightest there can be, so that nothing else is out of range.
            grain[:2], grain[2:] = 0, 255
        kind = "PNG" if ending.lower() == "png" else "JPEG"
        image = Image.fromarray(grain).resize((128, 128), Image.Resampling.NEAREST)
        image.save(folder / f"{number:02}.{ending}", kind)
    (folder / "notes.txt").write_text("no photograph")
    return folder


def test_an_int8_detector_is_smaller_and_its_boxes_are_the_floats(
    detector: Path, photographs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "int8.onnx"
    quantize(detector, find_photographs(photographs, 8), output, "fastestdet")
    assert output.stat().st_size < 0.7 * detector.stat().st_size
    before = load_file_detector(detector, family="fastestdet")
    after = load_file_detector(output, family="fastestdet")
    found = 0
    for path in find_photographs(photographs, 99)[8:]:
        image = open_image(path.read_bytes())
        [expected], [answered] = before.detect([image]), after.detect([image])
        for one in expected.objects:
            near = min(answered.objects, key=lambda other: _distance(one.box, other.box))
            assert _distance(one.box, near.box) < 2
            assert near.score == pytest.approx(one.score, abs=0.05)
            found += 1
    assert found >= 4


def _distance(one: object, other: object) -> float:
    sides = ("xmin", "ymin", "xmax", "ymax")
    return max(abs(getattr(one, side) - getattr(other, side)) for side in sides)


def test_the_middle_computes_in_8_bits_and_the_ends_do_not(
    detector: Path, photographs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "int8.onnx"
    quantize(detector, find_photographs(photographs, 4), output, "fastestdet")
    graph = onnx.load(str(output)).graph
    kinds = {item.name: item.data_type for item in graph.initializer}
    int8 = {name.split("_")[0] for name, kind in kinds.items() if kind == TensorProto.INT8}
    assert {"mixed", "again"} <= int8
    assert kinds["spread"] == kinds["gather"] == TensorProto.FLOAT


def test_photographs_are_found_whatever_the_case_of_their_ending(photographs: Path) -> None:
    assert len(find_photographs(photographs, 99)) == 12
    assert [path.name for path in find_photographs(photographs, 2)] == ["00.jpg", "01.JPG"]


def test_no_photographs_is_said_before_anything_is_computed(
    detector: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="holds no photographs"):
        find_photographs(tmp_path, 64)
    output = tmp_path / "int8.onnx"
    with pytest.raises(InvalidInput, match="photographs to calibrate"):
        quantize(detector, [], output, "fastestdet")
    arguments = ["quantize", str(detector), str(output), "--photographs", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match="holds no photographs"):
        room.main()
    assert not output.exists()
