"""The matrix products of the network's layers, with their biases, as ONNX operators.

A text's answer must not depend on its batch-mates, so activations are never given one range for
a whole batch while running. The ways a product can be computed:

- ``float``: 32 bits;
- ``rows``: 8-bit integers, each token vector scaled by its own largest value (absmax per token,
  as in LLM.int8(), Dettmers et al. 2022, arXiv:2208.07339), weights scaled per output column;
- ``channels``: 8-bit integers, each input channel by a range of its own that was measured
  beforehand and is multiplied into the weights (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438).
  The products after GELU, whose few large values no fixed range suits, stay as in ``rows``;
- ``static``: 8-bit integers with one activation range per product, fixed beforehand;
- ``blocks8``, ``blocks4``: MatMulNBits, weights and activations scaled by blocks of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
KINDS: Final = ("float", "rows", "channels", "static", "blocks8", "blocks4")
MICROSOFT: Final = "com.microsoft"
AFTER_GELU: Final = ".down"
_BLOCK: Final = 64
_LEAST_GELU: Final = 0.17
_BELOW_ZERO: Final = 32


class Nodes(Protocol):
    """What a product is written to; see ``graph.Graph``."""

    def constant(self, name: str, value: NDArray[Any]) -> str: ...

    def add(
        self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **fields: Any
    ) -> str: ...


class Products:
    """Adds products ``x @ weight.T + bias`` of float32 [batch, tokens, inputs]."""

    def __init__(
        self,
        graph: Nodes,
        state: Mapping[str, NDArray[Any]],
        kind: str,
        steps: Mapping[str, Floats],
    ) -> None:
        self._graph, self._state, self._kind, self._steps = graph, state, kind, steps
        self._once: dict[str, str] = {}

    def __call__(self, name: str, x: str) -> str:
        """Adds the product ``name``, such as ``layers.0.up``; returns the name of its output."""
        weight = self._state[f"{name}.weight"].astype(np.float32)
        if self._kind == "float":
            weight_name = self._graph.constant(f"{name}.weight", weight.T)
            product = self._graph.add("MatMul", x, weight_name)
        elif self._kind.startswith("blocks"):
            product = self._blocks(name, x, weight, int(self._kind[-1]))
        elif self._kind == "static":
            return self._static(name, x, weight)
        elif self._kind == "channels" and not name.endswith(AFTER_GELU):
            return self._channels(name, x, weight)
        else:
            product = self._rows(name, x, weight)
        return self._graph.add("Add", product, self._bias(name))

    def _bias(self, name: str) -> str:
        bias = self._state[f"{name}.bias"].astype(np.float32)
        return self._graph.constant(f"{name}.bias", bias)

    def _static(self, name: str, x: str, weight: Floats) -> str:
        graph = self._graph
        step = graph.constant(f"{name}.step", np.asarray(self._steps[name], np.float32))
        quantized = graph.add("QuantizeLinear", x, step, self._middle())
        return self._product(name, quantized, weight, step, self._middle(), bias=True)

    def _channels(self, name: str, x: str, weight: Floats) -> str:
        graph, steps = self._graph, np.asarray(self._steps[name], np.float32)
        codes = graph.add("Mul", x, graph.constant(f"{name}.smooth", 1 / steps))
        quantized = graph.add("QuantizeLinear", codes, self._unit(), self._middle())
        return self._product(
            name, quantized, weight * steps, self._unit(), self._middle(), bias=True
        )

    def _rows(self, name: str, x: str, weight: Floats) -> str:
        graph, (outputs, inputs) = self._graph, weight.shape
        # The tokens of the batch become the axis that carries the scales.
        shape = graph.constant(f"flat.{inputs}", np.array([-1, inputs], np.int64))
        flat = graph.add("Reshape", x, shape)
        last = graph.constant("last", np.array([-1], np.int64))
        if name.endswith(AFTER_GELU):
            # Never far below zero: nearly all codes are for what is above.
            step, middle = self._steps_after_gelu(flat, last), _BELOW_ZERO
        else:
            largest = graph.add("ReduceMax", graph.add("Abs", flat), last, keepdims=0)
            largest = graph.add("Max", largest, graph.constant("tiny", np.array(1e-6, np.float32)))
            part = graph.constant("part", np.array(1 / 127, np.float32))
            step, middle = graph.add("Mul", largest, part), 128
        zero = self._middle(middle)
        quantized = graph.add("QuantizeLinear", flat, step, self._zeros(zero, step), axis=0)
        product = self._product(name, quantized, weight, self._unit(), zero)
        product = graph.add("Mul", product, graph.add("Unsqueeze", step, last))
        return graph.add("Reshape", product, self._shape(outputs))

    def _steps_after_gelu(self, flat: str, last: str) -> str:
        graph = self._graph
        above = graph.constant("above", np.array(1 / (255 - _BELOW_ZERO), np.float32))
        least = graph.constant("least.step", np.array(_LEAST_GELU / _BELOW_ZERO, np.float32))
        largest = graph.add("ReduceMax", flat, last, keepdims=0)
        return graph.add("Max", graph.add("Mul", largest, above), least)

    def _middle(self, code: int = 128) -> str:
        """The code that stands for zero."""
        return self._graph.constant(f"zero.{code}", np.array(code, np.uint8))

    def _unit(self) -> str:
        return self._graph.constant("unit", np.array(1, np.float32))

    def _zeros(self, zero: str, step: str) -> str:
        """The zero point once for each token: the runtime wants as many as there are steps."""
        if zero not in self._once:
            self._once[zero] = self._graph.add("Expand", zero, self._graph.add("Shape", step))
        return self._once[zero]

    def _shape(self, width: int) -> str:
        """[batch, tokens, width] of this batch."""
        key, graph = f"width.{width}", self._graph
        if key not in self._once:
            rows = graph.add("Shape", "input_ids")
            size = graph.constant(key, np.array([width], np.int64))
            self._once[key] = graph.add("Concat", rows, size, axis=0)
        return self._once[key]

    def _product(
        self, name: str, quantized: str, weight: Floats, step: str, zero: str, bias: bool = False
    ) -> str:
        codes, scale = quantize_columns(weight)
        return self._graph.add(
            "MatMulIntegerToFloat",
            quantized,
            self._graph.constant(f"{name}.codes", codes.T),
            step,
            self._graph.constant(f"{name}.scale", scale),
            zero,
            *(("", self._bias(name)) if bias else ()),
            domain=MICROSOFT,
        )

    def _blocks(self, name: str, x: str, weight: Floats, bits: int) -> str:
        rows, columns = weight.shape
        blocks = weight.reshape(rows, columns // _BLOCK, _BLOCK)
        half = 2 ** (bits - 1)
        scale = np.maximum(np.abs(blocks).max(2, keepdims=True), 1e-9) / (half - 1)
        codes = (np.round(blocks / scale) + half).clip(0, 2 * half - 1).astype(np.uint8)
        if bits == 4:
            codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
        graph = self._graph
        return graph.add(
            "MatMulNBits",
            x,
            graph.constant(f"{name}.codes", codes),
            graph.constant(f"{name}.scale", scale.reshape(rows, -1).astype(np.float32)),
            domain=MICROSOFT, K=columns, N=rows, bits=bits, block_size=_BLOCK, accuracy_level=4,
        )  # fmt: skip


def quantize_columns(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A weight [out, in] as 8-bit codes and one scale per output."""
    scale = np.maximum(np.abs(weight).max(1), 1e-9) / 127
    codes = np.round(weight / scale[:, None]).clip(-127, 127).astype(np.int8)
    return codes, scale.astype(np.float32)
