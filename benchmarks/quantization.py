"""How the sentiment network is quantized: size, speed and loss of each way, same weights.

``python -m benchmarks quantization --data-dir FOLDER [--bundle FOLDER] [--quick]``. The folder
holds ``sst2_dev.csv``. Ranges fixed beforehand are measured on sentences of the project's own.
Every way but the bundle's own file starts from the bundle's weights multiplied out to 32 bits, so
'float' is the reference. 'alone' is the largest difference of a probability between a text alone
and the same text in a batch of 32 with padding. Speed is counted in processor time of one thread,
so that other work on the machine matters little. Where OpenVINO is installed (``pip install
openvino``), the same weights are measured in it too.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from discern_training.sentiment.data import read_csv
from discern_training.sentiment.graph import build
from discern_training.sentiment.products import AFTER_GELU
from discern_training.sentiment.ranges import (
    Activations,
    activations,
    calibration_texts,
    steps_of,
)
from discern_training.sentiment.score import pad
from discern_training.sentiment.weights import read_weights
from numpy.typing import NDArray

from benchmarks import quantization_openvino
from benchmarks.machine import provenance, sentence
from benchmarks.report import table, write
from discern.catalog.manifest import load_bundle
from discern.text.analyze import softmax
from discern.text.tokenize import Ids, WindowTokenizer

BY_NAME_ONLY: Final = True
BUNDLE: Final = Path(__file__).parents[1] / "src/discern/catalog/bundles/sentiment-en"
WAYS: Final = {
    "float": "32 bits",
    "file": "the bundle's own file, as it is: {bundle}",
    "channels": "8 bits, each channel by a fixed range, after GELU as the next (`optimize`)",
    "rows": "8 bits, each token vector by its own range",
    "static": "8 bits, one fixed range a product",
    "blocks8": "MatMulNBits, 8 bits, blocks of 64, accuracy level 4",
    "blocks4": "MatMulNBits, 4 bits, blocks of 64, accuracy level 4",
    "dynamic": "onnxruntime.quantization.quantize_dynamic, per channel",
}
_BATCH: Final = 32
_ROUNDS: Final = 5
_SIZES: Final = ((20, 1), (20, 32), (60, 1), (150, 1), (150, 8))

Floats = NDArray[np.float64]
Weights = Mapping[str, NDArray[np.float32]]


def steps_for(way: str, weights: Weights, found: Mapping[str, Activations]) -> Weights:
    """The ranges fixed beforehand that a way needs; ``static`` leaves out the largest
    ten-thousandth of the values seen."""
    if way == "channels":
        return {
            name: steps_of(item, weights[f"{name}.weight"])
            for name, item in found.items()
            if not name.endswith(AFTER_GELU)
        }
    return {
        name: np.array(np.quantile(np.abs(item.sample), 0.9999) / 127, np.float32)
        for name, item in found.items()
    }


def write_way(
    way: str, weights: Weights, found: Mapping[str, Activations], path: Path, bundle: Path
) -> None:
    """Writes the model file of one way."""
    if way in quantization_openvino.WAYS:
        quantization_openvino.write(way, weights, steps_for("static", weights, found), path)
        return
    if way == "file":
        shutil.copyfile(bundle / "model.onnx", path)
        return
    if way != "dynamic":
        steps = steps_for(way, weights, found)
        build(weights, path, kind=way, steps=steps, byte_table=way != "float")
        return
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    source = path.with_suffix(".source")
    build(weights, source, kind="float", byte_table=True)
    quantize_dynamic(
        source,
        path,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul"],
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


Run = Callable[[Sequence[Ids]], Floats]


def opened(way: str, path: Path) -> Run:
    """Probabilities of windows run together in one batch, on one thread."""
    theirs = way in quantization_openvino.WAYS
    logits = quantization_openvino.opened(way, path) if theirs else _opened(path)
    return lambda windows: softmax(logits(*pad(windows)).astype(np.float64))


def _opened(path: Path) -> Callable[[Ids, Ids], Any]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


def answers(run: Run, windows: Sequence[Ids]) -> Floats:
    """Probabilities of all windows, in batches of like length."""
    order = sorted(range(len(windows)), key=lambda index: len(windows[index]))
    result = np.zeros((len(windows), 3))
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        result[rows] = run([windows[index] for index in rows])
    return result


def loneliness(run: Run, windows: Sequence[Ids]) -> float:
    """Largest difference between alone and in mixed batches, in the order given."""
    gap = 0.0
    for start in range(0, len(windows), _BATCH):
        part = windows[start : start + _BATCH]
        together = run(part)
        gap = max(
            [
                gap,
                *(
                    float(np.abs(run([w])[0] - t).max())
                    for w, t in zip(part, together, strict=True)
                ),
            ]
        )
    return gap


def speeds(runs: Mapping[str, Run], seconds: float) -> dict[str, dict[str, float]]:
    """Texts per second of processor time of each way and size of batch.

    The ways take turns, so that a busy neighbor slows all of them; the best round counts, as other
    work on the machine only ever takes time away.
    """
    rng = np.random.default_rng(1)
    best: dict[str, dict[str, float]] = {way: {} for way in runs}
    for tokens, batch in _SIZES:
        windows = [rng.integers(1000, 29000, tokens) for _ in range(batch)]
        key = f"{tokens} tokens, {batch} a batch"
        for way, run in list(runs.items()) * _ROUNDS:
            run(windows)
            began, count = time.process_time(), 0
            while time.process_time() - began < seconds:
                run(windows)
                count += batch
            found = count / (time.process_time() - began)
            best[way][key] = max(best[way].get(key, 0.0), round(found, 1))
    return best


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Every way's figures."""
    manifest = load_bundle(options.bundle).manifest
    weights = read_weights(options.bundle / "model.onnx")
    cutter = WindowTokenizer(options.bundle / "tokenizer.json", max_tokens=192, stride=142)
    rows = list(read_csv(options.data_dir / "sst2_dev.csv"))[: 60 if options.quick else None]
    windows = [w.ids[0] for w in cutter.windows([text for text, _ in rows])]
    labels = np.array([label for _, label in rows])
    found_ranges = activations(
        weights, [ids for w in cutter.windows(calibration_texts()) for ids in w.ids]
    )
    reference: Floats | None = None
    result: dict[str, Any] = {}
    runs: dict[str, Run] = {}
    others = quantization_openvino.WAYS if quantization_openvino.installed() else {}
    for way, title in (WAYS | others).items():
        path = folder / f"{way}.onnx"
        write_way(way, weights, found_ranges, path, options.bundle)
        run = runs[way] = opened(way, path)
        found = answers(run, windows)
        reference = found if reference is None else reference
        result[way] = {
            "title": title.format(bundle=f"{manifest.name} {manifest.version}"),
            "megabytes": round(path.stat().st_size / 1e6, 1),
            "sst2_dev_accuracy": round(float((found[:, [0, 2]].argmax(1) * 2 == labels).mean()), 4),
            "mean_difference": round(float(np.abs(found - reference).mean()), 5),
            "largest_difference": round(float(np.abs(found - reference).max()), 4),
            "alone": float(f"{loneliness(run, windows[:96]):.2g}"),
        }
        print(way, result[way], flush=True)
    for way, found_speeds in speeds(runs, 0.1 if options.quick else 0.4).items():
        result[way]["texts_per_processor_second"] = found_speeds
    return result


def _markdown(result: dict[str, Any]) -> str:
    rows = []
    for item in result["ways"].values():
        speed = item["texts_per_processor_second"]
        rows.append(
            [
                item["title"],
                item["megabytes"],
                f"{item['sst2_dev_accuracy']:.4f}",
                f"{item['mean_difference']:.4f} / {item['largest_difference']:.3f}",
                f"{item['alone']:.2g}",
                *(f"{value:,.0f}" for value in speed.values()),
            ]
        )
    head = ["way", "MB", "SST-2 dev accuracy", "probability off by (mean / most)",
            "alone or in a batch",
            *(f"{tokens} tokens x {batch}" for tokens, batch in _SIZES)]  # fmt: skip
    return "\n\n".join(
        [
            "# Ways to quantize the sentiment network",
            "Same weights in every row. A way whose answer for a text depends on the batch it is "
            "in is out (limit 0.001). The last columns are texts per second of processor time on "
            "one core, without tokenizing, by the texts' length and the texts of a batch.",
            table(head, rows),
            sentence(result),
        ]
    )


def main() -> None:
    """Runs the study; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="whose weights to use")
    parser.add_argument("--quick", action="store_true", help="60 texts and short timings")
    options = parser.parse_args()
    result = provenance("python -m benchmarks quantization --data-dir DATA")
    with tempfile.TemporaryDirectory() as folder:
        result["ways"] = measure(options, Path(folder))
    write("quantization", result, _markdown(result), quick=options.quick)
