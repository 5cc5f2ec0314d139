"""Makes the two little model files beside it; run it with `python -m tests.fakes.make_models` where
the package `onnx` is installed.

``words.onnx`` gives each row of ids the logits ``[bads, 0.5, goods]``, so a test knows every answer
by heart; an id it does not know makes the runtime fail. ``slow.onnx`` gives the same answers after
some hundred million multiplications a row, so that a queue forms on any machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent
SLOW_SIDE = 480
SLOW_PRODUCTS = 2


def words(*, slow: bool) -> onnx.ModelProto:
    table = np.zeros((6, 3), dtype=np.float32)
    table[3, 2] = table[4, 0] = 1.0  # "good" and "bad" of tests/fakes/words.py
    constants: dict[str, np.ndarray[Any, Any]] = {
        "table": table,
        "base": np.array([0, 0.5, 0], dtype=np.float32),
        "last": np.array([2], dtype=np.int64),
        "tokens": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask3"]),
        helper.make_node("Mul", ["rows", "mask3"], ["seen"]),
        helper.make_node("ReduceSum", ["seen", "tokens"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "base"], ["answer" if slow else "logits"]),
    ]
    if slow:
        nodes += _slow_part(constants)
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 3])
    graph = helper.make_graph(
        nodes,
        "slow" if slow else "words",
        ids,
        [logits],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


def _slow_part(constants: dict[str, np.ndarray[Any, Any]]) -> list[onnx.NodeProto]:
    constants["side"] = np.array([SLOW_SIDE, SLOW_SIDE], dtype=np.int64)
    constants["zero"] = np.array(0, dtype=np.float32)
    constants["dims"] = np.array([0, 1], dtype=np.int64)
    constants["square"] = np.array([1, SLOW_SIDE, SLOW_SIDE], dtype=np.int64)
    constants["one"] = np.array([1, 1, 1], dtype=np.int64)
    nodes = [
        # One square matrix of zeros for each row: made from the input, or it would be folded away.
        helper.make_node("ReduceSum", ["mask", "tokens"], ["lengths"], keepdims=1),
        helper.make_node("Mul", ["lengths", "zero"], ["zeros"]),
        helper.make_node("Unsqueeze", ["zeros", "last"], ["cell"]),
        helper.make_node("Expand", ["cell", "square"], ["power0"]),
    ]
    for step in range(SLOW_PRODUCTS):
        names = [f"power{step}", f"power{step}"]
        nodes.append(helper.make_node("MatMul", names, [f"power{step + 1}"]))
    return [
        *nodes,
        helper.make_node("ReduceSum", [f"power{SLOW_PRODUCTS}", "last"], ["sum1"], keepdims=0),
        helper.make_node("ReduceSum", ["sum1", "tokens"], ["nothing"], keepdims=1),
        helper.make_node("Add", ["answer", "nothing"], ["logits"]),
    ]


if __name__ == "__main__":
    for name, slow in (("words", False), ("slow", True)):
        onnx.save(words(slow=slow), str(FOLDER / f"{name}.onnx"))
