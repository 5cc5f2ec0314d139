"""``discern evaluate``: figures against labels people gave."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from discern.cli import LazyGroup, tables
from discern.cli.engines import engine_option, open_engine
from discern.cli.progress import progress_bar
from discern.engine.interface import Engine
from discern.errors import InvalidInput
from discern.text.calls import timely_calls
from discern.text.contract import Sentiment, check_text

if TYPE_CHECKING:
    from discern.text.evaluate import SentimentQuality


class _EvaluateGroup(LazyGroup):
    lazy = {
        "sentiment": ("discern.cli.evaluate", "sentiment"),
        "detection": ("discern.cli.evaluate_detection", "detection"),
    }


@click.group(cls=_EvaluateGroup)
def evaluate() -> None:
    """Measure a model on your own labelled data."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--model", help="A model of the catalog by name; the active one if left out.")
@click.option("--limit", type=click.IntRange(min=1), help="Judge only the first N rows.")
@engine_option
def sentiment(
    file: Path, as_json: bool, model: str | None, limit: int | None, server: str | None
) -> None:
    """Accuracy, macro recall, calibration and speed on FILE.

    FILE is a table (csv, jsonl, parquet, .gz too) with the columns `text` and `label`, where
    label is negative, neutral or positive. A file without a neutral row is judged on the two
    classes it has, with the scores renormalised over them.
    """
    from discern.text.evaluate import evaluate as judge  # numpy only when it is needed
    from discern.text.evaluate import known_labels

    texts, labels = _read(file, limit)
    with open_engine(server) as engine:
        [first] = engine.analyze(texts[:1], model=model)
        labels = known_labels(labels, tuple(first.scores))  # before the work, not after it
        started = time.perf_counter()
        results = _analyze_sorted(engine, texts, model)
        seconds = time.perf_counter() - started
    quality = judge(results, labels)
    figures: dict[str, Any] = {
        **asdict(quality),
        "texts_per_second": len(texts) / seconds,
        "model": f"{results[0].model_name} {results[0].model_version}",
    }
    if as_json:
        click.echo(json.dumps(figures))
    else:
        _show(quality, figures)


def _read(file: Path, limit: int | None) -> tuple[list[str], list[str]]:
    texts: list[str] = []
    labels: list[str] = []
    for number, row in enumerate(tables.read_rows(file), 1):
        if limit is not None and number > limit:
            break
        for column in ("text", "label"):
            if column not in row:
                raise InvalidInput(f"'{file.name}' has no column '{column}'.", field=column)
        if isinstance(row, tables.BrokenRow):
            raise InvalidInput(f"Row {number}: {row.problem}", field="text")
        texts.append(check_text(row["text"], field=f"text of row {number}"))
        labels.append("" if row["label"] is None else str(row["label"]))
    if not texts:
        raise InvalidInput(f"'{file.name}' holds no rows.", field="input")
    return texts, labels


def _analyze_sorted(engine: Engine, texts: list[str], model: str | None) -> list[Sentiment]:
    # Texts of like length together waste no work on padding, and the answers do not depend on
    # the order: that is tested.
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    results: dict[int, Sentiment] = {}
    with progress_bar(len(texts), label="Evaluating") as advance:
        for chunk in timely_calls(order, lambda index: len(texts[index])):
            answers = engine.analyze([texts[index] for index in chunk], model=model)
            results.update(zip(chunk, answers, strict=True))
            advance(len(chunk))
    return [results[index] for index in range(len(texts))]


def _show(quality: SentimentQuality, figures: dict[str, Any]) -> None:
    click.echo(f"{figures['model']} on {quality.n:,} texts")
    for key in ("accuracy", "macro_recall", "expected_calibration_error"):
        click.echo(f"  {key.replace('_', ' '):<28}{figures[key]:.4f}")
    click.echo(f"  {'texts per second':<28}{figures['texts_per_second']:,.0f}")
    width = max(map(len, quality.labels)) + 2
    click.echo("\n  true \\ predicted  " + "".join(f"{label:>{width}}" for label in quality.labels))
    for label, row in zip(quality.labels, quality.confusion, strict=True):
        cells = "".join(f"{count:>{width},}" for count in row)
        click.echo(f"  {label:<18}{cells}   recall {quality.recall[label]:.3f}")
