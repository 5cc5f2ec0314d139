"""Makes ``blob.onnx``, a detector of FastestDet's shape that finds what is bright; run it with
`python -m tests.fakes.make_detector` where the package `onnx` is installed.

Each of its 4 x 4 cells is an object as sure as the cell is white, a quarter of the picture large.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

FILE = Path(__file__).with_name("blob.onnx")


def write_detector(path: Path) -> None:
    """Puts a copy at ``path``."""
    shutil.copyfile(FILE, path)


def main() -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    middle, quarter = math.atanh(0.5), math.log(0.25 / 0.75)
    rest = np.array([middle, middle, quarter, quarter, 1], dtype=np.float32).reshape(1, 5, 1, 1)
    constants = {"rest": np.tile(rest, (1, 1, 4, 4))}
    nodes = [
        helper.make_node(
            "AveragePool", ["image"], ["cells"], kernel_shape=[16, 16], strides=[16, 16]
        ),
        helper.make_node("ReduceMean", ["cells"], ["bright"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["bright", "rest"], ["found"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "blob",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 6, 4, 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    FILE.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
