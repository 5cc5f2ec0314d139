"""``discern recommend evaluate``: ranking quality on your own data."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from discern.errors import InvalidInput
from discern.recommendations.evaluate import (
    TUNE_SECONDS,
    Quality,
    evaluate_folds,
    evaluate_split,
)
from discern.recommendations.files import read_contents, read_interactions
from discern.recommendations.matrices import Ratings, from_interactions, from_pairs
from discern.recommendations.text_features import document, tf_idf

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--contents", type=FILE, help="Contents: content_id, text (title, tags...).")
@click.option("--interactions", type=FILE, help="Interactions: user_id, content_id.")
@click.option("--train", type=FILE, help="A given split's training part.")
@click.option("--test", type=FILE, help="A given split's test part.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--tune-seconds",
    type=click.FloatRange(min=0),
    default=TUNE_SECONDS,
    show_default=True,
    help="How long to search for good settings, on people outside the test folds.",
)
@click.option("--verbose", is_flag=True, help="Say on stderr what is tried.")
def evaluate(
    contents: Path | None,
    interactions: Path | None,
    train: Path | None,
    test: Path | None,
    as_json: bool,
    tune_seconds: float,
    verbose: bool,
) -> None:
    """Recall, NDCG, time and size on FILEs (csv, jsonl, parquet; .gz too).

    With --interactions (and --contents) three test folds of people are held out; of each test
    person a random fifth is to be found from the rest, drawn up to 40 times. With --train and
    --test the split is yours: histories come from --train, and only they are left out of the
    ranking.
    """

    def report(line: str) -> None:
        if verbose:
            click.echo(line, err=True)

    if interactions is not None and train is None and test is None:
        ratings, features = _read_folds(interactions, contents)
        quality = evaluate_folds(ratings, features, tune_seconds=tune_seconds, report=report)
    elif train is not None and test is not None and interactions is None and contents is None:
        quality = evaluate_split(
            _read_pairs(train), _read_pairs(test), tune_seconds=tune_seconds, report=report
        )
    else:
        raise InvalidInput("Give --interactions (and --contents), or --train and --test.")
    _show(quality, as_json)


def _read_folds(interactions: Path, contents: Path | None) -> tuple[Ratings, Any]:
    if contents is None:
        return _read_pairs(interactions), None
    listed = {content.id: content for content in read_contents(contents)}
    ratings = from_interactions(read_interactions(interactions), list(listed))
    return ratings, tf_idf([document(content) for content in listed.values()])


def _read_pairs(path: Path) -> Ratings:
    people: list[str] = []
    met: list[str] = []
    for event in read_interactions(path):
        if not event.disliked:
            people.append(event.person)
            met.append(event.content)
    if not people:
        raise InvalidInput(f"'{path.name}' holds no interactions.", field="input")
    return from_pairs(people, met)


def _show(quality: Quality, as_json: bool) -> None:
    figures: dict[str, Any] = {
        **quality.figures,
        "fit_seconds": quality.fit_seconds,
        "tune_seconds": quality.tune_seconds,
        "model_bytes": quality.model_bytes,
        "settings": asdict(quality.settings),
        "folds": list(quality.folds),
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    for name, value in quality.figures.items():
        click.echo(f"{name:<20}{value:.4f}")
    click.echo(f"{'fit':<20}{quality.fit_seconds:.1f} s (settings: {quality.tune_seconds:.1f} s)")
    click.echo(f"{'model':<20}{quality.model_bytes / 1e6:.1f} MB")
