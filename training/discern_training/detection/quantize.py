"""Static int8 quantization of a detector: ``python -m discern_training.detection.quantize``.

Weights and activations become 8-bit integers with scales measured on calibration photographs
(Jacob et al. 2018, arXiv:1712.05877; the QDQ form of onnxruntime.quantization). The last
operations, which turn features into coordinates and scores, stay in floating point: their ranges
differ too much between channels. Judge the result with ``discern evaluate detection`` on
photographs that were not used here.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from discern.errors import DiscernError, InvalidInput
from discern.vision.detect import Detector, load_file_detector
from discern.vision.detectors.prepare import prepare
from discern.vision.images import open_image

ENDINGS = frozenset({".jpg", ".jpeg", ".png"})


class Photographs(CalibrationDataReader):
    """Feeds photographs as the detector's own preparation makes them."""

    def __init__(self, detector: Detector, paths: Sequence[Path]) -> None:
        self._feeds = self._prepared(detector, paths)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)

    @staticmethod
    def _prepared(detector: Detector, paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
        name = detector.session.inputs[0].name
        for path in paths:
            image = open_image(path.read_bytes(), max_side=detector.working_side)
            tensor, _ = prepare(image, detector.size, detector.family.preparation)
            yield {name: tensor[np.newaxis]}


def quantize(model: Path, photographs: Sequence[Path], output: Path, family: str | None) -> None:
    """Writes ``output``, the int8 form of ``model``.

    Raises:
        InvalidInput: no photographs, so there is nothing to measure ranges on.
    """
    if not photographs:
        raise InvalidInput("There are no photographs to calibrate on.", field="photographs")
    detector = load_file_detector(model, family=family)
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        onnx.save(with_current_operators(onnx.load(str(model))), str(prepared))
        quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(output),
            Photographs(detector, photographs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_exclude=kept_in_float(prepared),
        )


def find_photographs(folder: Path, count: int) -> list[Path]:
    """The first ``count`` JPEG and PNG files of ``folder`` by name.

    Raises:
        InvalidInput: there is none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in ENDINGS)[:count]
    if not found:
        raise InvalidInput(
            f"'{folder}' holds no photographs (.jpg, .jpeg or .png).", field="photographs"
        )
    return found


def with_current_operators(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in operator set 13 or later: scales for each channel came with that."""
    opset = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
    return version_converter.convert_version(model, 13) if opset < 13 else model


def kept_in_float(model: Path) -> list[str]:
    """Convolutions that lose most and win least: the first, those of a few channels each
    (depthwise), and those after which no other comes."""
    graph = onnx.load(str(model)).graph
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    lasting = {node.name for node in convolutions if _is_depthwise(node)}
    return sorted(lasting | {convolutions[0].name, *_last(graph)})


def _is_depthwise(node: onnx.NodeProto) -> bool:
    return any(item.name == "group" and item.i > 1 for item in node.attribute)


def _last(graph: onnx.GraphProto) -> list[str]:
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    leads_on: dict[str, bool] = {}
    for node in reversed(graph.node):  # nodes are stored in the order they run
        following = [reader for name in node.output for reader in readers.get(name, [])]
        leads_on[node.output[0]] = any(
            reader.op_type == "Conv" or leads_on[reader.output[0]] for reader in following
        )
    return [
        node.name for node in graph.node if node.op_type == "Conv" and not leads_on[node.output[0]]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--photographs", type=Path, required=True, help="a folder of JPEG or PNG files"
    )
    parser.add_argument("--count", type=int, default=64, help="how many of them are used")
    parser.add_argument("--family")
    options = parser.parse_args()
    try:
        paths = find_photographs(options.photographs, options.count)
        quantize(options.model, paths, options.output, options.family)
    except DiscernError as error:
        raise SystemExit(error.message) from error
    before, after = options.model.stat().st_size, options.output.stat().st_size
    print(f"{options.output}: {after:,} bytes, from {before:,}; calibrated on {len(paths)}")


if __name__ == "__main__":
    main()
