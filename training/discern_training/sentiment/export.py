"""From a training run to a bundle: calibrate, quantize, measure, write manifest and card."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from discern.catalog.manifest import load_bundle
from discern.text.evaluate import evaluate
from discern.text.names import FILE
from discern_training.sentiment import swaps
from discern_training.sentiment.bundle import (
    PREPROCESSING,
    READING,
    UNKNOWN_NAME,
    save_tokenizer,
    write_manifest,
)
from discern_training.sentiment.calibrate import fit_temperature
from discern_training.sentiment.data import LABELS, load_set, read_csv, split
from discern_training.sentiment.graph import build
from discern_training.sentiment.ordinary import ordinary_words
from discern_training.sentiment.ranges import calibration_texts, channel_steps
from discern_training.sentiment.score import Scorer
from discern_training.sentiment.spread import (
    Spread,
    equity_corpus,
    judged_sentences,
    measure,
    own_sentences,
)

Rows = list[tuple[str, int]]
State = Mapping[str, NDArray[Any]]
SHIPPED_KIND: Final = "channels"
_CAUTION: Final = 1.1
_CARD: Final = Path(__file__).parent / "card.md"
_FIELDS: Final = {
    "name": "sentiment-en",
    "version": "",
    "task": "sentiment-analysis",
    "format": "onnx",
    "license": "Apache-2.0",
    "origin": "made by training/discern_training/sentiment from all-MiniLM-L6-v2 (Apache-2.0)",
    "description": "Mood of English text: negative, neutral, positive.",
    "languages": ["en"],
    "labels": list(LABELS),
    "inputs": ["input_ids", "attention_mask"],
    "outputs": ["logits"],
}


def evaluation_sets(folder: Path) -> dict[str, tuple[str, Rows]]:
    """Name to (what it has to do with training, rows) of every set that measures."""

    def held_out(name: str) -> Rows:
        return [(e.text, e.label) for e in split(load_set(name, folder))[1]]

    return {
        "sst2_dev": ("held out", list(read_csv(folder / "sst2_dev.csv"))),
        "goemotions_dev": ("held out", list(read_csv(folder / "goemotions_dev.csv"))),
        "tweets_held_out": ("held out", held_out("tweets")),
        "imdb_held_out": ("held out", held_out("imdb")[:300]),
        "airline_tweets": ("other kind", list(read_csv(folder / "airline_tweets_train.csv"))[::5]),
        "yelp_sentences": (
            "other kind",
            list(read_csv(folder / "yelp_sentences_train.csv"))[::32],
        ),
        "financial_phrasebank": (
            "other kind",
            list(read_csv(folder / "financial_phrasebank_train.csv")),
        ),
    }


def calibration_sets(folder: Path) -> list[Rows]:
    """What the temperature is fitted on: held-out rows of the sets trained on."""
    goemotions = list(read_csv(folder / "goemotions_dev.csv"))[::4]
    tweets, imdb = (split(load_set(name, folder))[1] for name in ("tweets", "imdb"))
    return [
        goemotions,
        [(e.text, e.label) for e in tweets],
        [(e.text, e.label) for e in imdb[::8]],
    ]


def write_model(
    state: State,
    tokenizer: Path,
    folder: Path,
    preprocessing: Mapping[str, Any] = PREPROCESSING,
    *,
    texts: Sequence[str] = (),
    **changes: Any,
) -> None:
    """Writes graph, tokenizer and a manifest without figures.

    ``texts`` are of a kind the model will read, if that is known: the ranges of the 8-bit
    activations are measured on them too. ``changes`` are manifest fields.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if tokenizer != folder / "tokenizer.json":
        save_tokenizer(tokenizer, folder / "tokenizer.json")
    write_graph(state, folder / "tokenizer.json", folder / "model.onnx", texts)
    write_manifest(folder, manifest_fields(**changes), {"preprocessing": preprocessing})


def write_graph(state: State, tokenizer: Path, path: Path, texts: Sequence[str] = ()) -> None:
    """Writes the network as it is shipped, with ranges measured on the texts written for this
    project and on ``texts``."""
    steps = channel_steps(state, tokenizer, [*calibration_texts(), *texts])
    build(state, path, kind=SHIPPED_KIND, steps=steps)


def manifest_fields(**changes: Any) -> dict[str, Any]:
    """The plain fields of a manifest."""
    return {**_FIELDS, "version": "1.0.0", **changes}


def calibrated(
    state: State, folder: Path, sets: Sequence[Rows], caution: float = 1.0
) -> dict[str, NDArray[Any]]:
    """The state with the temperature in its last layer; ``folder`` holds the bundle as it is.

    ``caution`` multiplies the fitted temperature: on kinds of text that were never trained on a
    network is surer than it should be.
    """
    scorer = Scorer(folder)
    pairs = []
    for rows in sets:
        labels = np.array([label for _, label in rows], np.int64)
        pairs.append((scorer.merged_logits([text for text, _ in rows]), labels))
    return scaled(state, fit_temperature(pairs) * caution)


def scaled(state: State, temperature: float) -> dict[str, NDArray[Any]]:
    """The state with its last layer divided by ``temperature``."""
    result = dict(state)
    for name in ("head.weight", "head.bias"):
        result[name] = state[name] / np.float32(temperature)
    return result


def quality(scorer: Scorer, rows: Rows) -> dict[str, float]:
    """The figures of ``discern evaluate sentiment``, rounded."""
    found = evaluate(
        scorer.sentiments([text for text, _ in rows]),
        [scorer.analyzer.labels[label] for _, label in rows],
    )
    return {
        "n": found.n,
        "accuracy": round(found.accuracy, 4),
        "macro_recall": round(found.macro_recall, 4),
        "expected_calibration_error": round(found.expected_calibration_error, 4),
    }


def speed(scorer: Scorer, tokens: int, texts: int = 256) -> dict[str, float]:
    """Texts per second of wall and of processor time, tokenizing included, two threads."""
    word = "service " * (tokens - 2)
    items = [word.strip()] * texts
    scorer.sentiments(items[:64])
    wall, used = time.perf_counter(), time.process_time()
    scorer.sentiments(items)
    wall, used = time.perf_counter() - wall, time.process_time() - used
    return {
        "texts_per_second": round(texts / wall, 1),
        "texts_per_processor_second": round(texts / used, 1),
    }


def export(state: State, tokenizer: Path, data: Path, folder: Path, version: str) -> dict[str, Any]:
    """Makes the shipped bundle; returns its figures, also written to ``metrics.json`` beside it."""
    write_model(state, tokenizer, folder, READING)
    state = calibrated(state, folder, calibration_sets(data), _CAUTION)
    (folder / FILE).write_bytes(ordinary_words(data))
    stand_in = swaps.stand_in(Tokenizer.from_file(str(tokenizer)))
    write_model(state, tokenizer, folder, {**PREPROCESSING, UNKNOWN_NAME: stand_in})
    return describe(state, data, folder, manifest_fields(version=version))


def describe(state: State, data: Path, folder: Path, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Measures a bundle on every set and writes the figures into its card and manifest, whose
    plain fields are ``fields``; returns them."""
    found = load_bundle(folder).manifest.preprocessing
    preprocessing = PREPROCESSING | {key: found[key] for key in (UNKNOWN_NAME,) if key in found}
    scorer = Scorer(folder)
    sets = evaluation_sets(data)
    figures = {name: quality(scorer, rows) for name, (_, rows) in sets.items()}
    spreads = measure(own_sentences(), scorer.probabilities)
    spreads += measure(judged_sentences(), scorer.probabilities)
    spreads += measure(equity_corpus(data / "equity_evaluation_corpus.csv"), scorer.probabilities)
    speeds: dict[str, dict[str, Any]] = {
        f"tokens_{count}": speed(scorer, count) for count in (20, 150)
    }
    speeds["machine"] = {"processor": _processor(), "threads": scorer.threads}
    gap = _float_gap(state, scorer, sets["sst2_dev"][1], folder)
    tables = {
        "preprocessing": preprocessing,
        "quality": {**figures, "identity_spread": {s.group: round(s.largest, 4) for s in spreads}},
        "speed": speeds,
    }
    kinds = {name: kind for name, (kind, _) in sets.items()}
    card = _card(fields["version"], folder, figures, kinds, spreads, speeds, gap)
    (folder / "CARD.md").write_text(card, encoding="utf-8")
    write_manifest(folder, fields, tables)
    return {**tables, "float_gap": gap}


def _float_gap(state: State, scorer: Scorer, rows: Rows, folder: Path) -> dict[str, float]:
    """Accuracy of the same weights in 32 bits, and the differences of the probabilities."""
    path = folder / "float.onnx.part"
    build(state, path, kind="float", byte_table=False)
    texts = [text for text, _ in rows]
    quantized = scorer.probabilities(texts)
    scorer.open(path)
    floats = scorer.probabilities(texts)
    accuracy = quality(scorer, rows)["accuracy"]
    path.unlink()
    scorer.open(folder / "model.onnx")
    gap = np.abs(quantized - floats)
    return {
        "sst2_dev_accuracy_float": accuracy,
        "sst2_dev_accuracy_8_bits": quality(scorer, rows)["accuracy"],
        "mean_probability_difference": round(float(gap.mean()), 5),
        "largest_probability_difference": round(float(gap.max()), 4),
    }


def _card(
    version: str,
    folder: Path,
    figures: Mapping[str, Mapping[str, float]],
    kinds: Mapping[str, str],
    spreads: Sequence[Spread],
    speeds: Mapping[str, Mapping[str, Any]],
    gap: Mapping[str, float],
) -> str:
    rows = ["| set | is | texts | accuracy | macro recall | ECE |", "|---|---|---:|---:|---:|---:|"]
    for name, item in figures.items():
        rows.append(
            f"| {name} | {kinds[name]} | {item['n']:,} | {item['accuracy']:.3f} "
            f"| {item['macro_recall']:.3f} | {item['expected_calibration_error']:.3f} |"
        )
    swaps = ["| words swapped | sentences | largest | mean |", "|---|---:|---:|---:|"]
    swaps += [f"| {s.group} | {s.sentences} | {s.largest:.3f} | {s.mean:.3f} |" for s in spreads]
    short, long = speeds["tokens_20"], speeds["tokens_150"]
    return Template(_CARD.read_text(encoding="utf-8")).substitute(
        version=version,
        megabytes=f"{(folder / 'model.onnx').stat().st_size / 1e6:.1f}",
        quality="\n".join(rows),
        spread="\n".join(swaps),
        max_tokens=PREPROCESSING["max_tokens"],
        merge=PREPROCESSING["merge"],
        float_gap=(
            f"SST-2 dev accuracy {gap['sst2_dev_accuracy_8_bits']:.4f} against "
            f"{gap['sst2_dev_accuracy_float']:.4f}; probabilities differ by "
            f"{gap['mean_probability_difference']:.4f} on average and "
            f"{gap['largest_probability_difference']:.3f} at most."
        ),
        speed=(
            f"{short['texts_per_processor_second']:,.0f} texts of 20 tokens and "
            f"{long['texts_per_processor_second']:,.0f} of 150 a second of processor time on one "
            f"core of {speeds['machine']['processor']}, tokenizing included."
        ),
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def save_metrics(figures: Mapping[str, Any], path: Path) -> None:
    """Writes figures as JSON."""
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
