"""Recommendation quality on MovieLens-1M and Goodbooks beside what can be installed today.

``python -m benchmarks recommendations_quality --data FOLDER [--sets NAME ...] [--quick]``. The
folder holds one folder for each public set, with ``contents.csv.gz`` and ``interactions.csv.gz``;
nothing of them is part of this repository. Three test folds of people, split as ``discern
recommend evaluate`` splits them; rivals' settings are chosen on the first fold's validation part,
Discern's by its own search as shipped, on people who are in no test fold.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.machine import provenance, sentence
from benchmarks.recommendations_rivals import (
    Given,
    Scores,
    blog,
    dense,
    implicit_ranked,
    judged,
    popularity,
    ranked_by,
    with_one_like,
)
from benchmarks.report import number, table, write
from discern.recommendations.evaluate import TUNE_SECONDS, evaluate_folds
from discern.recommendations.files import read_contents, read_interactions
from discern.recommendations.matrices import Ratings, from_interactions, keep_people
from discern.recommendations.metrics import HeldOut
from discern.recommendations.solve import Ridge
from discern.recommendations.split import SEED as SPLIT_SEED
from discern.recommendations.split import draws_of, hold_out, tenths, test_folds
from discern.recommendations.text_features import document, tf_idf

BY_NAME_ONLY: Final = True
SETS: Final = ("movielens_1m", "goodbooks_sample")
BARS: Final = {"movielens_1m": 0.430, "goodbooks_sample": 0.463}
ALS: Final = (
    {"factors": 64, "regularization": 0.05, "alpha": 2.0, "iterations": 15},
    {"factors": 128, "regularization": 10.0, "alpha": 5.0, "iterations": 15},
    {"factors": 64, "regularization": 30.0, "alpha": 10.0, "iterations": 15},
)
BM25: Final = ({"K": 20}, {"K": 200})
EASE: Final = ((100.0, 0.0, 0.0), (300.0, 0.0, 0.0), (800.0, 0.0, 0.0))
EDLAE: Final = ((50.0, 0.5, 0.0), (200.0, 0.5, 0.0))
EDLAE_CONTENT: Final = ((20.0, 0.5, 0.5), (5.0, 0.5, 3.0))

FEW: Final = 600
"""Contents of a quick run."""

Figures = dict[str, float]


def main() -> int:
    """Writes ``recommendations_quality_SET.json`` and ``.md`` for each set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_quality")
    parser.add_argument("--data", type=Path, required=True, help="the public sets' folder")
    parser.add_argument("--sets", nargs="*", default=SETS, choices=SETS)
    parser.add_argument("--tune-seconds", type=float, default=TUNE_SECONDS)
    parser.add_argument("--quick", action="store_true", help="a few people: proves nothing")
    given = parser.parse_args()
    for name in given.sets:
        command = f"python -m benchmarks recommendations_quality --data FOLDER --sets {name}"
        if given.tune_seconds != TUNE_SECONDS:
            command += f" --tune-seconds {given.tune_seconds:g}"
        result = {"provenance": provenance(command), "set": name}
        result |= measure(given.data / name, given.tune_seconds, quick=given.quick)
        write(f"recommendations_{name}", result, markdown(result), quick=given.quick)
    return 0


def measure(folder: Path, tune_seconds: float, *, quick: bool) -> dict[str, Any]:
    """Every way on one set, each with its figures as means over the folds."""
    ratings, texts = read_set(folder, quick=quick)
    features = tf_idf(texts)
    raw = raw_texts(folder, ratings.contents)
    folds = list(test_folds(ratings.matrix))
    givens = [Given(fold, features, raw) for fold in folds]
    validation = validation_of_first(ratings)
    result: dict[str, Any] = {
        "people": ratings.matrix.shape[0],
        "contents": ratings.matrix.shape[1],
        "interactions": int(ratings.matrix.nnz),
        "ways": {},
    }
    ways = result["ways"]

    def done(name: str, figures: dict[str, Any]) -> None:
        ways[name] = figures
        print(f"{name}: ndcg@100 {figures['ndcg@100']:.4f}", flush=True)

    done("popularity", _mean([with_one_like(popularity(g), g.fold.held_out) for g in givens]))
    done("the blog's TF-IDF", _mean([with_one_like(blog(g), g.fold.held_out) for g in givens]))
    for name, options in (
        ("EASE", EASE), ("EDLAE", EDLAE), ("EDLAE + content", EDLAE_CONTENT)
    ):  # fmt: skip
        done(name, tuned_dense(options, givens, validation))
    for name, model, choices in (("implicit BM25", "bm25", BM25), ("implicit ALS", "als", ALS)):
        done(name, tuned_implicit(model, choices, givens, validation))
    quality = evaluate_folds(ratings, features, tune_seconds=tune_seconds, report=_say)
    done(
        "Discern",
        {
            **quality.figures,
            "settings": asdict(quality.settings),
            "fit_seconds": quality.fit_seconds,
            "tune_seconds": quality.tune_seconds,
            "model_bytes": quality.model_bytes,
            "folds": list(quality.folds),
        },
    )
    return result


def read_set(folder: Path, *, quick: bool) -> tuple[Ratings, list[str]]:
    """A set as ``discern recommend evaluate`` reads it."""
    listed = {content.id: content for content in read_contents(folder / "contents.csv.gz")}
    events = read_interactions(folder / "interactions.csv.gz")
    ratings = from_interactions(events, list(listed))
    if quick:
        few = ratings.matrix[:300, :FEW].tocsr()
        ratings = Ratings(few, ratings.people[:300], ratings.contents[:FEW])
    documents = [document(content) for content in listed.values()]
    return ratings, documents[: len(ratings.contents)]


def raw_texts(folder: Path, contents: Sequence[str]) -> list[str]:
    """The texts as they are, in the order of the columns."""
    with gzip.open(folder / "contents.csv.gz", "rt", encoding="utf-8", newline="") as stream:
        texts = {row["content_id"]: row["text"] for row in csv.DictReader(stream)}
    return [texts[content] for content in contents]


def validation_of_first(ratings: Ratings) -> HeldOut:
    """The first fold's validation people: tenth 1 of the protocol."""
    people = keep_people(ratings.matrix, tenths(ratings.matrix.shape[0])[1])
    return hold_out(people, seed=SPLIT_SEED)


def tuned_dense(
    options: Sequence[tuple[float, float, float]], givens: Sequence[Given], validation: HeldOut
) -> dict[str, Any]:
    """The option (ridge, dropout, content) that ranks the validation part best, on every fold."""

    def make(option: tuple[float, float, float], given: Given) -> Scores:
        ridge, dropout, content = option
        return dense(given, Ridge(ridge, dropout), content=content)

    best: tuple[float, tuple[float, float, float], Figures] | None = None
    for option in options:
        began = time.perf_counter()
        scores = make(option, givens[0])
        spent = time.perf_counter() - began
        score = _ndcg(scores, validation)
        if best is None or score > best[0]:
            first = with_one_like(scores, givens[0].fold.held_out) | {"fit_seconds": spent}
            best = (score, option, first)
    if best is None:
        raise ValueError("no options")
    rest = [with_one_like(make(best[1], given), given.fold.held_out) for given in givens[1:]]
    names = ("ridge", "dropout", "content_weight")
    figures = _mean([best[2], *rest]) | {"fit_seconds": best[2]["fit_seconds"]}
    return {**figures, "settings": dict(zip(names, best[1], strict=True))}


def tuned_implicit(
    model: str, choices: Sequence[dict[str, Any]], givens: Sequence[Given], validation: HeldOut
) -> dict[str, Any]:
    """The choice that ranks the validation part best, on every fold."""
    scored = []
    for settings in choices:
        ranked, _ = implicit_ranked(model, dict(settings), givens[0], validation.history)
        scored.append((judged(ranked, validation)["ndcg@100"], settings))
    best = max(scored, key=lambda pair: pair[0])[1]
    found, spent = [], []
    for given in givens:
        held = given.fold.held_out
        ranked, cost = implicit_ranked(model, dict(best), given, held.history)
        found.append(judged(ranked, held))
        spent.append(cost["seconds"])
    return {**_mean(found), "fit_seconds": float(np.mean(spent)), "settings": best}


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def _ndcg(scores: Callable[[Any], Any], people: HeldOut) -> float:
    return judged(ranked_by(scores, people.history, people.history), people)["ndcg@100"]


def _mean(found: Sequence[Figures]) -> dict[str, Any]:
    return {name: float(np.mean([each[name] for each in found])) for name in found[-1]}


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    ways = result["ways"]
    rows = [
        [
            f"**{name}**" if name == "Discern" else name,
            *(f"{way[key]:.3f}" for key in ("ndcg@100", "ndcg@10", "recall@20")),
            f"{way['one_like_ndcg@100']:.3f}" if "one_like_ndcg@100" in way else "-",
            number(way.get("fit_seconds")),
            f"{way['model_bytes'] / 1e6:.2f}" if "model_bytes" in way else "-",
        ]
        for name, way in sorted(ways.items(), key=lambda pair: pair[1]["ndcg@100"])
    ]
    head = ["", "NDCG@100", "NDCG@10", "Recall@20", "one like: NDCG@100", "fit, s", "model, MB"]
    settings = "; ".join(
        f"{name}: {', '.join(f'{key} {value}' for key, value in way['settings'].items())}"
        for name, way in ways.items()
        if "settings" in way
    )
    return "\n\n".join(
        [
            f"# Recommendation quality: {result['set']}",
            f"{result['people']:,} people, {result['contents']:,} contents, "
            f"{result['interactions']:,} likes; three test folds of people nobody learned from, "
            f"a random fifth of each one's likes to be found from the others, drawn "
            f"{draws_of(result['people'] // 10)} times for each of them. In 'one like' a single "
            "random like is all that is known.",
            table(head, rows),
            f"Discern by the first draw alone: NDCG@100 "
            f"{ways['Discern'].get('first_draw_ndcg@100', ways['Discern']['ndcg@100']):.4f}.",
            f"Settings: {settings}.",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
