"""A detector's ONNX file run by torch, as a task does whose pipeline is torch's: torch, the
converter and the network are loaded when it is asked for, and not before.

Pictures are prepared, and outputs read, by Discern's own code, so that the same file gives the same
objects. ``python torch_detector.py MODEL PICTURE...`` prints the objects of each as a line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from discern.inference.contract import TensorInfo
from discern.vision.contract import OpenedImage
from discern.vision.detect import Detector, family_of
from discern.vision.detectors.labels import COCO_LABELS
from PIL import Image


class TorchSession:
    """The network behind the interface that Discern's detectors ask."""

    def __init__(self, path: Path) -> None:
        self._torch, onnx, onnx2torch = _imported()
        # As many tasks run at once as there are processors.
        self._torch.set_num_threads(1)
        model = onnx.load(path)
        _name_constants(model.graph)
        weights = {tensor.name for tensor in model.graph.initializer}
        # Older files list their weights among the inputs.
        self.inputs = tuple(_info(it) for it in model.graph.input if it.name not in weights)
        self.outputs = tuple(map(_info, model.graph.output))
        self._network = onnx2torch.convert(model).eval()

    def run(self, feeds: Mapping[str, Any]) -> list[Any]:
        with self._torch.inference_mode():
            found = self._network(self._torch.from_numpy(feeds[self.inputs[0].name]))
        return [part.numpy() for part in (found if isinstance(found, list | tuple) else [found])]


def _imported() -> tuple[Any, Any, Any]:
    # The converter takes two operators of torchvision's, which no detector here has. Without that
    # package to import, the task takes less time.
    operators = ModuleType("torchvision.ops")
    operators.roi_align = None  # type: ignore[attr-defined]
    vision = ModuleType("torchvision")
    vision.ops = operators  # type: ignore[attr-defined]
    sys.modules |= {"torchvision": vision, "torchvision.ops": operators}
    import onnx
    import onnx2torch
    import torch

    return torch, onnx, onnx2torch


def _name_constants(graph: Any) -> None:
    """Constants as initializers, where the converter looks for weights and biases."""
    for node in [node for node in graph.node if node.op_type == "Constant"]:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _info(value: Any) -> TensorInfo:
    sizes = (dimension.dim_value or -1 for dimension in value.type.tensor_type.shape.dim)
    return TensorInfo(value.name, "float32", tuple(sizes))


def load_torch_detector(path: Path) -> Detector:
    """As Discern's ``load_file_detector``, run by torch."""
    session = TorchSession(path)
    return Detector(session, family_of(session), COCO_LABELS, name=path.stem, version="torch")


def main() -> None:
    detector = load_torch_detector(Path(sys.argv[1]))
    for name in sys.argv[2:]:
        with Image.open(name) as file:
            pixels = np.asarray(file.convert("RGB"))
        opened = OpenedImage(pixels, pixels.shape[1], pixels.shape[0], "JPEG", 1)
        print(json.dumps(detector.detect([opened])[0].to_dict()["objects"]))


if __name__ == "__main__":
    main()
