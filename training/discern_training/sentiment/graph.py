"""Writes the network as an ONNX graph of ONNX Runtime's fused CPU operators, quantized or not.

A text's answer must not depend on its batch-mates, so activations are never given one range for
a whole batch while running. The ways a matrix product can be computed:

- ``float``: 32 bits;
- ``rows``: 8-bit integers, each token vector scaled by its own largest value (absmax per token,
  as in LLM.int8(), Dettmers et al. 2022, arXiv:2208.07339), weights scaled per output column;
- ``static``: 8-bit integers with one activation range per product, fixed beforehand;
- ``blocks8``, ``blocks4``: MatMulNBits, weights and activations scaled by blocks of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Floats = NDArray[np.float32]
HEAD_WIDTH: Final = 32
KINDS: Final = ("float", "rows", "static", "blocks8", "blocks4")
_MICROSOFT: Final = "com.microsoft"
_BLOCK: Final = 64


class Graph:
    """Collects nodes and weights; every ``add`` returns the name of the node's first output."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.count = 0
        self._named: set[str] = set()

    def constant(self, name: str, value: NDArray[Any]) -> str:
        if name not in self._named:
            self._named.add(name)
            self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(
        self, kind: str, *inputs: str, domain: str = "", outputs: int = 1, **fields: Any
    ) -> str:
        self.count += 1
        name = f"{kind}_{self.count}"
        names = [name] + [f"{name}_{index}" for index in range(1, outputs)]
        self.nodes.append(
            helper.make_node(kind, list(inputs), names, name=name, domain=domain, **fields)
        )
        return name


def build(
    state: Mapping[str, NDArray[Any]],
    path: Path,
    *,
    kind: str = "rows",
    ranges: Mapping[str, float] | None = None,
    byte_table: bool = True,
) -> None:
    """Writes ``path`` from a state dict of ``SentimentEncoder`` as arrays.

    ``ranges`` are the largest absolute activations by product name, for ``static``.
    ``byte_table`` stores the word table in 8 bits with one scale per word.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: one of {', '.join(KINDS)}")
    graph = Graph()
    layers = sum(name.endswith(".qkv.weight") for name in state)
    heads = state["words.weight"].shape[1] // HEAD_WIDTH
    linear = _Linear(graph, state, kind, ranges or {})
    x = _embeddings(graph, state, byte_table)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.INT32)
    for index in range(layers):
        x = _layer(graph, state, linear, f"layers.{index}.", x, mask, heads)
    logits = _head(graph, state, x)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    _save(graph, path, classes=len(state["head.bias"]))


def _embeddings(graph: Graph, state: Mapping[str, NDArray[Any]], byte_table: bool) -> str:
    table = state["words.weight"].astype(np.float32)
    if byte_table:
        scale = np.maximum(np.abs(table).max(1, keepdims=True), 1e-8) / 127
        codes = np.round(table / scale).astype(np.int8)
        found = graph.add("Gather", graph.constant("words.codes", codes), "input_ids")
        words = graph.add("Cast", found, to=TensorProto.FLOAT)
        scales = graph.add(
            "Gather", graph.constant("words.scale", scale.astype(np.float32)), "input_ids"
        )
        words = graph.add("Mul", words, scales)
    else:
        words = graph.add("Gather", graph.constant("words.weight", table), "input_ids")
    size = graph.add("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    positions = graph.constant("positions.weight", state["positions.weight"].astype(np.float32))
    places = graph.add("Slice", positions, zero, size, zero)
    return _norm(graph, state, "embedding_norm", graph.add("Add", words, places))


def _norm(graph: Graph, state: Mapping[str, NDArray[Any]], name: str, x: str) -> str:
    scale = graph.constant(f"{name}.weight", state[f"{name}.weight"].astype(np.float32))
    shift = graph.constant(f"{name}.bias", state[f"{name}.bias"].astype(np.float32))
    return graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)


def _skip_norm(
    graph: Graph, state: Mapping[str, NDArray[Any]], name: str, x: str, skip: str, bias: str
) -> str:
    return graph.add(
        "SkipLayerNormalization",
        x,
        skip,
        graph.constant(f"{name}.weight", state[f"{name}.weight"].astype(np.float32)),
        graph.constant(f"{name}.bias", state[f"{name}.bias"].astype(np.float32)),
        bias,
        domain=_MICROSOFT,
        epsilon=1e-12,
    )


def _layer(
    graph: Graph, state: Mapping[str, NDArray[Any]], linear: _Linear, name: str, x: str,
    mask: str, heads: int,
) -> str:  # fmt: skip
    qkv = linear(f"{name}qkv", x)
    width = state[f"{name}attention_out.weight"].shape[0]
    sizes = graph.constant("qkv.sizes", np.array([width] * 3, np.int64))
    q = graph.add("Split", qkv, sizes, outputs=3, axis=-1)
    bias = linear.bias(f"{name}qkv")
    mixed = graph.add(
        "MultiHeadAttention", q, f"{q}_1", f"{q}_2", bias, mask, domain=_MICROSOFT, num_heads=heads
    )
    out = linear(f"{name}attention_out", mixed)
    x = _skip_norm(
        graph, state, f"{name}attention_norm", out, x, linear.bias(f"{name}attention_out")
    )
    up = graph.add("BiasGelu", linear(f"{name}up", x), linear.bias(f"{name}up"), domain=_MICROSOFT)
    down = linear(f"{name}down", up)
    return _skip_norm(graph, state, f"{name}norm", down, x, linear.bias(f"{name}down"))


def _head(graph: Graph, state: Mapping[str, NDArray[Any]], x: str) -> str:
    """Mean over the tokens that are not padding, then the classes."""
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    row = graph.add("Unsqueeze", mask, graph.constant("one", np.array([1], np.int64)))
    total = graph.add("Squeeze", graph.add("MatMul", row, x), "one")
    count = graph.add("ReduceSum", mask, "one", keepdims=1)
    count = graph.add("Max", count, graph.constant("least", np.array(1, np.float32)))
    pooled = graph.add("Div", total, count)
    weight = graph.constant("head.weight", state["head.weight"].astype(np.float32))
    bias = graph.constant("head.bias", state["head.bias"].astype(np.float32))
    return graph.add("Gemm", pooled, weight, bias, transB=1)


class _Linear:
    """Adds products ``x @ weight.T`` without their biases, which later operators add."""

    def __init__(
        self,
        graph: Graph,
        state: Mapping[str, NDArray[Any]],
        kind: str,
        ranges: Mapping[str, float],
    ) -> None:
        self.graph, self.state, self.kind, self.ranges = graph, state, kind, ranges

    def bias(self, name: str) -> str:
        return self.graph.constant(f"{name}.bias", self.state[f"{name}.bias"].astype(np.float32))

    def __call__(self, name: str, x: str) -> str:
        weight = self.state[f"{name}.weight"].astype(np.float32)
        if self.kind == "float":
            return self.graph.add("MatMul", x, self.graph.constant(f"{name}.weight", weight.T))
        if self.kind.startswith("blocks"):
            return self._blocks(name, x, weight, int(self.kind[-1]))
        return (self._static if self.kind == "static" else self._rows)(name, x, weight)

    def _static(self, name: str, x: str, weight: Floats) -> str:
        graph = self.graph
        step = graph.constant(f"{name}.step", np.array(self.ranges[name] / 127, np.float32))
        quantized = graph.add("QuantizeLinear", x, step, self._middle())
        return self._product(name, quantized, weight, step)

    def _rows(self, name: str, x: str, weight: Floats) -> str:
        graph, (outputs, inputs) = self.graph, weight.shape
        # The tokens of the batch become the axis that carries the scales.
        shape = graph.constant(f"flat.{inputs}", np.array([-1, inputs], np.int64))
        flat = graph.add("Reshape", x, shape)
        last = graph.constant("last", np.array([-1], np.int64))
        largest = graph.add("ReduceMax", graph.add("Abs", flat), last, keepdims=0)
        largest = graph.add("Max", largest, graph.constant("tiny", np.array(1e-6, np.float32)))
        step = graph.add("Mul", largest, graph.constant("part", np.array(1 / 127, np.float32)))
        middles = graph.add("Expand", self._middle(), graph.add("Shape", step))
        quantized = graph.add("QuantizeLinear", flat, step, middles, axis=0)
        unit = graph.constant("unit", np.array(1, np.float32))
        product = self._product(name, quantized, weight, unit)
        product = graph.add("Mul", product, graph.add("Unsqueeze", step, last))
        width = graph.constant(f"width.{outputs}", np.array([outputs], np.int64))
        back = graph.add("Concat", graph.add("Shape", x, start=0, end=2), width, axis=0)
        return graph.add("Reshape", product, back)

    def _middle(self) -> str:
        return self.graph.constant("middle", np.array(128, np.uint8))

    def _product(self, name: str, quantized: str, weight: Floats, step: str) -> str:
        codes, scale = quantize_columns(weight)
        return self.graph.add(
            "MatMulIntegerToFloat",
            quantized,
            self.graph.constant(f"{name}.codes", codes.T),
            step,
            self.graph.constant(f"{name}.scale", scale),
            self._middle(),
            domain=_MICROSOFT,
        )

    def _blocks(self, name: str, x: str, weight: Floats, bits: int) -> str:
        rows, columns = weight.shape
        blocks = weight.reshape(rows, columns // _BLOCK, _BLOCK)
        half = 2 ** (bits - 1)
        scale = np.maximum(np.abs(blocks).max(2, keepdims=True), 1e-9) / (half - 1)
        codes = (np.round(blocks / scale) + half).clip(0, 2 * half - 1).astype(np.uint8)
        if bits == 4:
            codes = codes[..., 0::2] | (codes[..., 1::2] << 4)
        graph = self.graph
        return graph.add(
            "MatMulNBits",
            x,
            graph.constant(f"{name}.codes", codes),
            graph.constant(f"{name}.scale", scale.reshape(rows, -1).astype(np.float32)),
            domain=_MICROSOFT, K=columns, N=rows, bits=bits, block_size=_BLOCK, accuracy_level=4,
        )  # fmt: skip


def quantize_columns(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A weight [out, in] as 8-bit codes and one scale per output."""
    scale = np.maximum(np.abs(weight).max(1), 1e-9) / 127
    codes = np.round(weight / scale[:, None]).clip(-127, 127).astype(np.int8)
    return codes, scale.astype(np.float32)


def _save(graph: Graph, path: Path, classes: int) -> None:
    batch = ["batch", "tokens"]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "sentiment",
            [
                helper.make_tensor_value_info("input_ids", TensorProto.INT64, batch),
                helper.make_tensor_value_info("attention_mask", TensorProto.INT64, batch),
            ],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", classes])],
            graph.weights,
        ),
        opset_imports=[helper.make_opsetid("", 19), helper.make_opsetid(_MICROSOFT, 1)],
        producer_name="discern",
        ir_version=9,
    )
    onnx.save(model, str(path))
