"""Contents nobody has met, ranked among themselves by their words.

``python -m benchmarks recommendations_cold --data FOLDER [--set NAME] [--quick]``. Three folds; in
each a tenth of the contents is taken out of everything that is learned from, words included, and
added to the fitted ranker afterwards, as a site adds new contents. For every test person the taken
out contents are ranked from the likes of the others; what they really liked should be on top.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.machine import provenance, sentence
from benchmarks.recommendations_quality import read_set
from benchmarks.report import number, table, write
from discern.recommendations.contract import Content
from discern.recommendations.fit import fit_model
from discern.recommendations.fresh import FreshContents, Words
from discern.recommendations.history import History
from discern.recommendations.matrices import keep_people
from discern.recommendations.metrics import hits_of, ndcg, top_columns
from discern.recommendations.settings import Settings, sized
from discern.recommendations.split import SEED, TEST_FOLDS, tenths
from discern.recommendations.text_features import learn_words
from discern.recommendations.word_weights import word_weights

BY_NAME_ONLY: Final = True
DEPTH: Final = 10
GOAL: Final = 0.267
SETTINGS: Final = Settings(ridge=5.0, dropout=0.5, content_weight=0.5)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColdFold:
    """``train`` and ``history`` hold warm contents only, ``targets`` cold ones only."""

    train: sp.csr_matrix
    history: sp.csr_matrix
    targets: sp.csr_matrix
    warm: NDArray[np.int64]
    cold: NDArray[np.int64]


def main() -> int:
    """Writes ``recommendations_cold.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_cold")
    parser.add_argument("--data", type=Path, required=True, help="the public sets' folder")
    parser.add_argument("--set", default="movielens_1m")
    parser.add_argument("--quick", action="store_true", help="a few people: proves nothing")
    given = parser.parse_args()
    command = f"python -m benchmarks recommendations_cold --data FOLDER --set {given.set}"
    result: dict[str, Any] = {"provenance": provenance(command), "set": given.set}
    result |= measure(given.data / given.set, quick=given.quick)
    write("recommendations_cold", result, markdown(result), quick=given.quick)
    return 0


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """NDCG@10 of each way, by fold and in the mean."""
    ratings, documents = read_set(folder, quick=quick)
    found: dict[str, list[float]] = {}
    seconds = []
    for fold in folds(ratings.matrix):
        shape = fold.targets.shape
        draws = [np.random.default_rng(seed).random(shape) for seed in range(5)]
        found.setdefault("random", []).append(
            float(np.mean([judged(draw, fold.targets) for draw in draws]))
        )
        known = [documents[at] for at in fold.warm]
        new = [documents[at] for at in fold.cold]
        vocabulary = learn_words(known)
        features = vocabulary.vectors(known)
        alike = (fold.history @ features @ vocabulary.vectors(new).T).todense()
        found.setdefault("TF-IDF, mean of the liked", []).append(judged(alike, fold.targets))
        model = fit_model(
            fold.train,
            [str(at) for at in fold.warm],
            settings=sized(SETTINGS, len(fold.warm)),
            features=features,
        )
        weights = word_weights(features, fold.train)
        began = time.perf_counter()
        fresh = FreshContents(model, Words(vocabulary, features, weights))
        fresh.add((len(known) + at, Content(str(at), text=text)) for at, text in enumerate(new))
        seconds.append((time.perf_counter() - began) / len(new))
        scores = fresh_scores(fresh, fold.history, len(known), len(new))
        found.setdefault("Discern", []).append(judged(scores, fold.targets))
        print({name: round(values[-1], 4) for name, values in found.items()}, flush=True)
    return {
        "contents": len(documents),
        "ways": {name: {"mean": float(np.mean(v)), "folds": v} for name, v in found.items()},
        "seconds_a_new_content": float(np.mean(seconds)),
        "goal": GOAL,
    }


def folds(matrix: sp.csr_matrix) -> Iterator[ColdFold]:
    """People as the other figures split them; contents by a permutation of the same seed."""
    parts = tenths(matrix.shape[0])
    drawn = np.array_split(np.random.RandomState(SEED).permutation(matrix.shape[1]), 10)
    for number_ in range(TEST_FOLDS):
        out = (2 * number_, 2 * number_ + 1)
        people = np.sort(np.concatenate([part for at, part in enumerate(parts) if at not in out]))
        cold = np.sort(drawn[number_])
        warm = np.setdiff1d(np.arange(matrix.shape[1]), cold)
        train, test = keep_people(matrix, people), keep_people(matrix, parts[2 * number_])
        yield ColdFold(
            train[:, warm].tocsr(), test[:, warm].tocsr(), test[:, cold].tocsr(), warm, cold
        )


def fresh_scores(
    fresh: FreshContents, history: sp.csr_matrix, known: int, new: int
) -> NDArray[np.float32]:
    """Every person's scores of the new contents, one history after the other as in a request."""
    scores = np.zeros((history.shape[0], new), dtype=np.float32)
    for row in range(history.shape[0]):
        liked = history.indices[history.indptr[row] : history.indptr[row + 1]]
        columns, values = fresh.scores(
            History(liked.astype(np.int64), np.ones(len(liked), dtype=np.float32))
        )
        scores[row, columns - known] = values
    return scores


def judged(scores: Any, targets: sp.csr_matrix) -> float:
    """NDCG@10 over the people who liked one of the contents."""
    held = np.diff(targets.indptr).astype(np.int64)
    some = held > 0
    rows = np.asarray(scores, dtype=np.float32)[some]
    ranked = top_columns(rows, sp.csr_matrix(rows.shape), DEPTH)
    return float(ndcg(hits_of(ranked, targets[some]), held[some], DEPTH).mean())


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    rows = [
        [
            f"**{name}**" if name == "Discern" else name,
            f"{way['mean']:.3f}",
            " ".join(f"{each:.3f}" for each in way["folds"]),
            number(way["mean"] / result["ways"]["random"]["mean"]),
        ]
        for name, way in result["ways"].items()
    ]
    return "\n\n".join(
        [
            f"# Contents nobody has met, ranked among themselves: {result['set']}",
            table(["", "NDCG@10", "folds", "times random"], rows),
            f"Goal: {result['goal']}. A new content takes "
            f"{1000 * result['seconds_a_new_content']:.0f} ms to be added.",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
