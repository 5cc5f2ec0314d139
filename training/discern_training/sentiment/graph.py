"""Writes the network as an ONNX graph for ONNX Runtime on a CPU, quantized or not.

Of the operators that compute the same, the ones that take the least time are used. In ONNX Runtime
1.32 a sum followed by ``LayerNormalization`` is several times as fast as
``SkipLayerNormalization``. How the matrix products are computed is in ``products``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from discern_training.sentiment.products import KINDS, MICROSOFT, Floats, Products

HEAD_WIDTH: Final = 32
ROWS: Final = "words.row"


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
    kind: str,
    steps: Mapping[str, Floats] | None = None,
    byte_table: bool = True,
) -> None:
    """Writes ``path`` from a state dict of ``SentimentEncoder`` as arrays.

    ``steps`` are the activations that one code stands for, by product name: float32 [inputs] for
    ``channels``, float32 [] for ``static``. ``byte_table`` stores the word table in 8 bits with
    one scale per word.

    Raises:
        ValueError: an unknown kind, or one that lacks its steps.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: one of {', '.join(KINDS)}")
    if kind in ("channels", "static") and steps is None:
        raise ValueError(f"kind {kind!r} needs steps")
    graph = Graph()
    layers = sum(name.endswith(".qkv.weight") for name in state)
    heads = state["words.weight"].shape[1] // HEAD_WIDTH
    products = Products(graph, state, kind, steps or {})
    x = _embeddings(graph, state, byte_table)
    mask = _key_mask(graph)
    for index in range(layers):
        x = _layer(graph, state, products, f"layers.{index}.", x, mask, heads)
    logits = _head(graph, state, x)
    graph.nodes.append(helper.make_node("Identity", [logits], ["logits"]))
    _save(graph, path, classes=len(state["head.bias"]))


def _embeddings(graph: Graph, state: Mapping[str, NDArray[Any]], byte_table: bool) -> str:
    table = state["words.weight"].astype(np.float32)
    if byte_table:
        stored = byte_rows(table)
        rows = graph.add("Gather", graph.constant(ROWS, stored[ROWS]), "input_ids")
        found = graph.add("Gather", graph.constant("words.codes", stored["words.codes"]), rows)
        words = graph.add("Cast", found, to=TensorProto.FLOAT)
        scales = graph.add("Gather", graph.constant("words.scale", stored["words.scale"]), rows)
        words = graph.add("Mul", words, scales)
    else:
        words = graph.add("Gather", graph.constant("words.weight", table), "input_ids")
    size = graph.add("Shape", "input_ids", start=1, end=2)
    zero = graph.constant("zero", np.array([0], np.int64))
    positions = graph.constant("positions.weight", state["positions.weight"].astype(np.float32))
    places = graph.add("Slice", positions, zero, size, zero)
    return _norm(graph, state, "embedding_norm", graph.add("Add", words, places))


def byte_rows(table: Floats) -> dict[str, NDArray[Any]]:
    """A word table, float32 [tokens, width], in 8 bits: the row of each token, int32 [tokens], and
    the different rows there are with a scale for each, int8 [rows, width] and float32 [rows, 1].

    Words that share an embedding share a row, so thousands of them take no more room than one.
    """
    scale = np.maximum(np.abs(table).max(1, keepdims=True), 1e-8) / 127
    codes = np.round(table / scale).astype(np.int8)
    _, first, rows = np.unique(table, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return {
        ROWS: places[rows.reshape(-1)].astype(np.int32),
        "words.codes": codes[first[order]],
        "words.scale": scale[first[order]].astype(np.float32),
    }


def _norm(graph: Graph, state: Mapping[str, NDArray[Any]], name: str, x: str) -> str:
    scale = graph.constant(f"{name}.weight", state[f"{name}.weight"].astype(np.float32))
    shift = graph.constant(f"{name}.bias", state[f"{name}.bias"].astype(np.float32))
    return graph.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=1e-12)


def _key_mask(graph: Graph) -> str:
    """What is added to the scores of each key: 0, or for padding so little that its part in the
    softmax is 0 exactly."""
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = graph.add("Sub", mask, graph.constant("unit", np.array(1, np.float32)))
    mask = graph.add("Mul", mask, graph.constant("far", np.array(10_000, np.float32)))
    return graph.add("Unsqueeze", mask, graph.constant("key", np.array([1, 2], np.int64)))


def _layer(
    graph: Graph, state: Mapping[str, NDArray[Any]], products: Products, name: str, x: str,
    mask: str, heads: int,
) -> str:  # fmt: skip
    mixed = _attention(graph, products(f"{name}qkv", x), mask, heads)
    # "Sum" and not "Add": optimizers would make SkipLayerNormalization of that again.
    x = graph.add("Sum", products(f"{name}attention_out", mixed), x)
    x = _norm(graph, state, f"{name}attention_norm", x)
    up = graph.add("Gelu", products(f"{name}up", x))
    x = graph.add("Sum", products(f"{name}down", up), x)
    return _norm(graph, state, f"{name}norm", x)


def _attention(graph: Graph, qkv: str, mask: str, heads: int) -> str:
    """Queries, keys and values side by side [batch, tokens, 3 * width] to [.., width]."""
    sizes = graph.constant("parts", np.array([0, 0, 3 * heads, HEAD_WIDTH], np.int64))
    parts = graph.add("Transpose", graph.add("Reshape", qkv, sizes), perm=[0, 2, 1, 3])
    query = graph.add("Split", parts, outputs=3, axis=1, num_outputs=3)
    key, value = graph.add("Transpose", f"{query}_1", perm=[0, 1, 3, 2]), f"{query}_2"
    part = graph.constant("head.part", np.array(HEAD_WIDTH**-0.5, np.float32))
    scores = graph.add("Mul", graph.add("MatMul", query, key), part)
    odds = graph.add("Softmax", graph.add("Add", scores, mask), axis=-1)
    mixed = graph.add("Transpose", graph.add("MatMul", odds, value), perm=[0, 2, 1, 3])
    flat = graph.constant("whole", np.array([0, 0, heads * HEAD_WIDTH], np.int64))
    return graph.add("Reshape", mixed, flat)


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
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)],
        producer_name="discern",
        ir_version=9,
    )
    onnx.save(model, str(path))
