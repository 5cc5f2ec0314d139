"""The ranges of activations that ``graph.build`` fixes beforehand, measured on texts.

A few channels of a transformer's activations are ten times as large as the others. With one range
for all, the others keep three or four bits. Here each channel has a range of its own, which is
multiplied into the weights (SmoothQuant, Xiao et al. 2023, arXiv:2211.10438): the more even the
activations, the less even the weights. How far to go is chosen for each product by the error that
is to be expected of its output.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from discern.inference.session import open_session
from discern.text.normalize import normalize
from discern.text.tokenize import Ids, WindowTokenizer
from discern_training.sentiment.graph import build
from discern_training.sentiment.products import AFTER_GELU, Floats, quantize_columns
from discern_training.sentiment.written import written_examples

State = Mapping[str, NDArray[Any]]
_EVENNESS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_PARTS: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_SAMPLE: Final = 2048
_WINDOWS: Final = 2048
_WRITTEN: Final = 80
_LONG: Final = 40
_SENTENCES_IN_LONG: Final = 12


@dataclass(frozen=True, slots=True)
class Activations:
    """A product's input over many texts: the largest absolute value of each channel, float32
    [inputs], and some of its token vectors, float32 [tokens, inputs]."""

    largest: Floats
    sample: Floats


def calibration_texts() -> list[str]:
    """Sentences written for this project, alone and twelve to a text; the same at each call."""
    texts = [item.text for item in written_examples(_WRITTEN, Random(1))]
    Random(2).shuffle(texts)
    count = _LONG * _SENTENCES_IN_LONG
    long = [
        " ".join(texts[start : start + _SENTENCES_IN_LONG])
        for start in range(0, count, _SENTENCES_IN_LONG)
    ]
    return [*texts, *long]


def channel_steps(state: State, tokenizer: Path, texts: Sequence[str]) -> dict[str, Floats]:
    """What ``graph.build`` takes as ``steps`` for ``channels``, measured on ``texts``.

    Args:
        state: the network's weights.
        tokenizer: its ``tokenizer.json``.
        texts: of the kinds to be read, some of them long.
    """
    cutter = WindowTokenizer(tokenizer, max_tokens=192, stride=142)
    cut = cutter.windows([normalize(text) for text in texts])
    windows = [ids for item in cut for ids in item.ids]
    found = activations(state, windows[:: 1 + len(windows) // _WINDOWS])
    return {
        name: steps_of(item, state[f"{name}.weight"].astype(np.float32))
        for name, item in found.items()
        if not name.endswith(AFTER_GELU)
    }


def activations(state: State, windows: Sequence[Ids]) -> dict[str, Activations]:
    """The inputs of every product of the layers over ``windows``, in 32 bits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "float.onnx"
        build(state, path, kind="float", byte_table=False)
        inputs = _expose_inputs(path)
        session = open_session(path, threads=1)
    places = {info.name: index for index, info in enumerate(session.outputs)}
    every = max(1, sum(map(len, windows)) // _SAMPLE)
    largest: dict[str, Floats] = {}
    sample: dict[str, list[Floats]] = {name: [] for name in inputs}
    seen = 0
    for ids in windows:
        outputs = session.run({"input_ids": ids[None], "attention_mask": np.ones_like(ids)[None]})
        for name, source in inputs.items():
            rows = outputs[places[source]][0]
            peaks = np.abs(rows).max(0)
            largest[name] = np.maximum(largest.get(name, peaks), peaks)
            sample[name].append(rows[-seen % every :: every].copy())
        seen += len(ids)
    return {
        name: Activations(largest[name], np.concatenate(parts)) for name, parts in sample.items()
    }


def steps_of(found: Activations, weight: Floats) -> Floats:
    """Activation per code of each input channel, float32 [inputs], for a weight [out, in].

    Of some tens of choices, the one whose expected squared error of the output is least: that of
    the rounded and clipped activations, seen through the weights, and that of the rounded weights,
    seen through the activations. Both are taken channel by channel, as if independent.
    """
    sample, power = found.sample, (found.sample**2).mean(0)
    peaks = np.maximum(found.largest, 1e-3)
    columns = np.maximum(np.abs(weight).max(0), 1e-4)
    best = (np.inf, peaks)
    for evenness in _EVENNESS:
        shape = peaks**evenness / columns ** (1 - evenness)
        shape *= (peaks / shape).max() / 127  # now the largest value seen is code 127
        codes, scale = quantize_columns(weight * shape)
        rounded = codes * scale[:, None] / shape - weight
        of_weights = float((power * (rounded**2).sum(0)).sum())
        for part in _PARTS:
            steps = (shape * part).astype(np.float32)
            coded = np.clip(np.rint(sample / steps), -128, 127) * steps - sample
            error = of_weights + float(((coded**2).mean(0) * (weight**2).sum(0)).sum())
            best = min(best, (error, steps), key=lambda choice: choice[0])
    return best[1]


def _expose_inputs(path: Path) -> dict[str, str]:
    """Makes the input of every product of the layers an output of the graph; returns their names
    by the product's."""
    model = onnx.load(str(path))
    inputs = {
        node.input[1].removesuffix(".weight"): node.input[0]
        for node in model.graph.node
        if node.op_type == "MatMul" and node.input[1].startswith("layers.")
    }
    names = dict.fromkeys(inputs.values())
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    onnx.save(model, str(path))
    return inputs
