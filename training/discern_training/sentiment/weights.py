"""Reads the weights back out of a bundle's ``model.onnx``: what ``graph.build`` wrote, as floats.

With this a shipped bundle is also the start of fine-tuning; nothing has to be downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_EIGHT_BITS: Final = ".codes"
_SMOOTH: Final = ".smooth"


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """The state dict of a ``SentimentEncoder`` as arrays, 8-bit weights multiplied out.

    Raises:
        ValueError: the file is not one that ``graph.build`` wrote with 8-bit or float weights.
    """
    stored: dict[str, NDArray[Any]] = {
        item.name: numpy_helper.to_array(item) for item in onnx.load(str(path)).graph.initializer
    }
    result: dict[str, NDArray[np.float32]] = {}
    for name, value in stored.items():
        if name.endswith(_EIGHT_BITS):
            base = name.removesuffix(_EIGHT_BITS)
            result[f"{base}.weight"] = _multiply(value, stored[f"{base}.scale"], base)
            if base + _SMOOTH in stored:  # ranges of input channels are in the weights
                result[f"{base}.weight"] *= stored[base + _SMOOTH]
        elif "." in name and name.endswith((".weight", ".bias")):
            linear = value.ndim == 2 and name.startswith("layers.")
            result[name] = np.ascontiguousarray(value.T if linear else value, dtype=np.float32)
    if "words.row" in stored and "words.weight" in result:  # tokens that share a row have its copy
        result["words.weight"] = result["words.weight"][stored["words.row"]]
    if "words.weight" not in result or "head.weight" not in result:
        raise ValueError(f"{path.name} does not hold a sentiment network's weights")
    return result


def read_kind(path: Path) -> str:
    """The way a bundle's products are computed: one of ``products.KINDS``.

    Raises:
        ValueError: the file is not one that ``graph.build`` wrote.
    """
    graph = onnx.load(str(path)).graph
    names = {item.name for item in graph.initializer}
    operators = {node.op_type: node for node in graph.node}
    if "head.weight" not in names:
        raise ValueError(f"{path.name} does not hold a sentiment network's weights")
    if "MatMulNBits" in operators:
        bits = next(a.i for a in operators["MatMulNBits"].attribute if a.name == "bits")
        return f"blocks{bits}"
    if "MatMulIntegerToFloat" not in operators:
        return "float"
    first = "layers.0.qkv"
    if first + _SMOOTH in names:
        return "channels"
    return "static" if f"{first}.step" in names else "rows"


def _multiply(codes: NDArray[Any], scale: NDArray[np.float32], base: str) -> NDArray[np.float32]:
    if codes.dtype != np.int8 or codes.ndim != 2:
        raise ValueError(f"'{base}' is not stored with 8 bits a weight")
    table = scale.reshape(-1, 1) if base == "words" else scale.reshape(1, -1)
    floats: NDArray[np.float32] = codes.astype(np.float32) * table
    return np.ascontiguousarray(floats if base == "words" else floats.T)
