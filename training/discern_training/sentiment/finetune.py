"""Fine-tunes a bundle on a user's labeled texts and packs the result as a bundle of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from discern.catalog.manifest import load_bundle
from discern.text.normalize import normalize
from discern_training.sentiment.batching import batches
from discern_training.sentiment.bundle import PREPROCESSING, write_manifest
from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example
from discern_training.sentiment.encoder import EncoderSizes, SentimentEncoder
from discern_training.sentiment.export import (
    calibrated,
    manifest_fields,
    quality,
    save_metrics,
    write_model,
)
from discern_training.sentiment.graph import HEAD_WIDTH
from discern_training.sentiment.score import Scorer
from discern_training.sentiment.train import Stepper
from discern_training.sentiment.userdata import UserData
from discern_training.sentiment.weights import read_weights

# Fewer held-out texts than this say too little to fit a temperature on.
_CALIBRATE_FROM: Final = 50
# Of the user's texts, how many help to measure the ranges of activations.
_MEASURED: Final = 256
_STEPS: Final = 150
_BATCH: Final = 16

Advance = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to fine-tune: passes over the data (None: enough for some 150 steps, 3 to 20), the
    rate of the top layer, and the seed."""

    epochs: int | None = None
    rate: float = 5e-5
    seed: int = 1
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """Figures on the held-out part; ``before`` is None where the labels are new."""

    before: Mapping[str, float] | None
    after: Mapping[str, float]
    train_rows: int


def finetune(
    base: Path,
    data: UserData,
    output: Path,
    tuning: Tuning,
    *,
    name: str,
    version: str,
    advance: Advance = lambda _done, _of: None,
) -> Outcome:
    """Trains on ``data.train`` from the bundle ``base`` and writes the bundle ``output``.

    ``advance`` is told after each step how many are done, and of how many.

    Raises:
        FileExistsError: ``output`` exists and is not empty.
        BundleInvalid: ``base`` is not a bundle.
        ValueError: ``base`` is one whose weights cannot be read back.
    """
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output} is not empty; give a new folder.")
    bundle = load_bundle(base)
    keep_head = bundle.manifest.labels == data.labels
    before = quality(Scorer(base, threads=tuning.threads), data.held_out) if keep_head else None
    torch.manual_seed(tuning.seed)
    model = _model(read_weights(base / "model.onnx"), len(data.labels), keep_head)
    tokenizer = base / "tokenizer.json"
    _train(model, Tokenizer.from_file(str(tokenizer)), data, tuning, advance)
    state = {key: value.detach().numpy() for key, value in model.state_dict().items()}
    fields = {
        "name": name,
        "version": version,
        "labels": list(data.labels),
        "license": bundle.manifest.license,
        "origin": f"fine-tuned from {bundle.manifest.name} {bundle.manifest.version}",
        "description": f"{bundle.manifest.name} fine-tuned on {len(data.train):,} texts.",
    }
    _pack(state, tokenizer, output, data, fields)
    outcome = Outcome(before, quality(Scorer(output), data.held_out), len(data.train))
    _describe(output, outcome, data, fields)
    return outcome


def _model(
    weights: Mapping[str, NDArray[np.float32]], labels: int, keep_head: bool
) -> SentimentEncoder:
    """The network with a bundle's weights; a fresh last layer for new labels. The word table
    stays as it is: what was learned of interchangeable words must survive a few rows of data."""
    layers = sum(name.endswith(".qkv.weight") for name in weights)
    vocabulary, width = weights["words.weight"].shape
    sizes = EncoderSizes(
        vocabulary=vocabulary,
        positions=weights["positions.weight"].shape[0],
        width=width,
        heads=width // HEAD_WIDTH,
        inner=weights["layers.0.up.weight"].shape[0],
        layers=layers,
        classes=labels,
    )
    model = SentimentEncoder(sizes)
    state = {name: torch.from_numpy(value.copy()) for name, value in weights.items()}
    if not keep_head:
        state = {name: value for name, value in state.items() if not name.startswith("head.")}
    model.load_state_dict(state, strict=keep_head)
    model.words.weight.requires_grad_(False)
    return model


def _train(
    model: SentimentEncoder, tokenizer: Tokenizer, data: UserData, tuning: Tuning, advance: Advance
) -> None:
    two_class = data.has_moods and all(label != 1 for _, label in data.train)
    examples = [Example(normalize(text), label, "user", two_class) for text, label in data.train]
    epochs = tuning.epochs or min(20, max(3, round(_STEPS * _BATCH / len(examples))))
    stage = Stage("user", epochs, rate=tuning.rate, head_rate=10 * tuning.rate, group=1,
                  batch_texts=_BATCH, max_tokens=256, batch_tokens=1536)  # fmt: skip
    done = 0
    with ThreadPoolExecutor(tuning.threads, initializer=_one_thread) as pool:
        stepper = Stepper(model, stage, pool)
        model.train()
        for epoch in range(epochs):
            rng = Random(f"{tuning.seed}/{epoch}")
            found = batches(examples, tokenizer, stage, rng)
            groups = [found[i : i + stage.group] for i in range(0, len(found), stage.group)]
            total = epochs * len(groups)
            for group in groups:
                done += 1
                stepper.step(group, min(done / total, 1.0))
                advance(done, total)
    model.eval()


def _one_thread() -> None:
    torch.set_num_threads(1)


def _pack(
    state: Mapping[str, NDArray[Any]],
    tokenizer: Path,
    output: Path,
    data: UserData,
    fields: Mapping[str, Any],
) -> None:
    texts = [text for text, _ in data.train[:_MEASURED]]
    write_model(state, tokenizer, output, texts=texts, **fields)
    if len(data.held_out) >= _CALIBRATE_FROM:
        state = calibrated(state, output, [data.held_out])
        write_model(state, tokenizer, output, texts=texts, **fields)


def _describe(output: Path, outcome: Outcome, data: UserData, fields: Mapping[str, Any]) -> None:
    """Card, metrics and the manifest that lists them."""
    lines = [
        f"# {fields['name']} {fields['version']}",
        "",
        f"{fields['origin'].capitalize()} with {outcome.train_rows:,} texts of the user's own; "
        f"labels: {', '.join(data.labels)}. Limits of the model it comes from apply.",
        "",
        f"On {outcome.after['n']:,} held-out texts:",
        "",
        "| | accuracy | macro recall | ECE |",
        "|---|---:|---:|---:|",
    ]
    for title, item in (("before", outcome.before), ("after", outcome.after)):
        if item is not None:
            lines.append(
                f"| {title} | {item['accuracy']:.3f} | {item['macro_recall']:.3f} "
                f"| {item['expected_calibration_error']:.3f} |"
            )
    (output / "CARD.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    save_metrics({"before": outcome.before, "after": outcome.after}, output / "metrics.json")
    tables = {"preprocessing": PREPROCESSING, "quality": {"held_out": outcome.after}}
    write_manifest(output, manifest_fields(**fields), tables)
