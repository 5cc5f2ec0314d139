"""The sentiment network in OpenVINO, for ``benchmarks.quantization``: measured where it is
installed (``pip install openvino``, 180 MB), not part of Discern."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from discern_training.sentiment.graph import build
from discern_training.sentiment.products import quantize_columns
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Arrays = Mapping[str, NDArray[Any]]
WAYS: Final = {
    "openvino_bf16": "OpenVINO, 16 bits (bfloat16)",
    "openvino_tokens": "OpenVINO, 8 bits, every 384 numbers of a token vector by their own range",
    "openvino_static": "OpenVINO, 8 bits, one fixed range a product",
    "openvino_mixed": "OpenVINO, the same, all else in 16 bits (bfloat16)",
}
_PRECISION: Final = {"openvino_bf16": "bf16", "openvino_mixed": "bf16"}


def installed() -> bool:
    """Whether OpenVINO is there to be measured."""
    return importlib.util.find_spec("openvino") is not None


def write(way: str, weights: Arrays, steps: Arrays, path: Path) -> None:
    """Writes the model file of one way: standard operators, 8 bits as pairs of QuantizeLinear
    and DequantizeLinear."""
    build(weights, path, kind="float", byte_table=False)
    if way == "openvino_bf16":
        return
    model = onnx.load(str(path))
    graph = model.graph
    nodes, constants = [], {item.name: item for item in graph.initializer}
    for node in graph.node:
        name = node.input[1].removesuffix(".weight") if node.op_type == "MatMul" else ""
        if name.startswith("layers."):
            nodes += _weight_in_codes(graph, name, numpy_helper.to_array(constants[node.input[1]]))
            graph.initializer.remove(constants[node.input[1]])
            if way != "openvino_tokens":
                nodes += _input_in_codes(graph, name, node, steps[name])
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.save(model, str(path))


def _weight_in_codes(graph: Any, name: str, weight: NDArray[Any]) -> list[Any]:
    codes, scale = quantize_columns(weight.T)
    inputs = [f"{name}.codes", f"{name}.scale", f"{name}.zero"]
    for key, value in zip(inputs, (codes.T, scale, np.zeros(len(scale), np.int8)), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), key))
    return [helper.make_node("DequantizeLinear", inputs, [f"{name}.weight"], axis=1)]


def _input_in_codes(graph: Any, name: str, node: Any, step: NDArray[Any]) -> list[Any]:
    range_ = [f"{name}.step", f"{name}.middle"]
    for key, value in zip(range_, (np.asarray(step, np.float32), np.uint8(128)), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(value), key))
    source, coded, node.input[0] = node.input[0], f"{name}.coded", f"{name}.decoded"
    return [
        helper.make_node("QuantizeLinear", [source, *range_], [coded]),
        helper.make_node("DequantizeLinear", [coded, *range_], [node.input[0]]),
    ]


def opened(way: str, path: Path) -> Callable[[NDArray[np.int64], NDArray[np.int64]], Any]:
    """Logits of ids and mask, on one thread."""
    import openvino

    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": _PRECISION.get(way, "f32"),
        # The width of the network: one range for a token vector, four after GELU.
        **({"DYNAMIC_QUANTIZATION_GROUP_SIZE": 384} if way == "openvino_tokens" else {}),
    }
    request = openvino.Core().compile_model(str(path), "CPU", settings).create_infer_request()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> Any:
        return request.infer({"input_ids": ids, "attention_mask": mask})[0].copy()

    return run
