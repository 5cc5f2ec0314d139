"""Fits on one part of the data and judges on another, by a fixed protocol."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from discern.errors import EmptyInput
from discern.recommendations.bundle import save_model
from discern.recommendations.fit import fit_model
from discern.recommendations.matrices import Ratings
from discern.recommendations.metrics import HeldOut, judge
from discern.recommendations.model import Model, Scorer
from discern.recommendations.settings import Settings
from discern.recommendations.split import Fold, shorten, test_folds, validation_fold, within_fold
from discern.recommendations.tune import tune

TUNE_SECONDS = 120.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Quality:
    """``figures`` are means over the folds: recall@10, 20, 50 and ndcg@10, 20, 100, and
    ``one_like_ndcg@100`` where one random interaction is all that is known of a person. Where
    people were drawn several times, ``first_draw_ndcg@100`` counts the first time only.

    ``fit_seconds`` is one fit with settings known, ``tune_seconds`` the search for them;
    ``model_bytes`` the size of the saved bundle.
    """

    figures: dict[str, float]
    fit_seconds: float
    tune_seconds: float
    model_bytes: int
    settings: Settings
    folds: tuple[dict[str, float], ...]


def evaluate_folds(
    ratings: Ratings,
    features: sp.csr_matrix | None,
    *,
    tune_seconds: float = TUNE_SECONDS,
    settings: Settings | None = None,
    report: Report | None = None,
) -> Quality:
    """Three test folds of people nobody learned from; settings are found once, on people who are
    in no test fold.

    Raises:
        EmptyInput: fewer than ten people.
    """
    if ratings.matrix.shape[0] < 10:
        raise EmptyInput("At least ten people are needed to evaluate.", field="interactions")
    settings, spent = _settled(
        settings, partial(validation_fold, ratings.matrix), features, tune_seconds, report
    )
    folds = list(test_folds(ratings.matrix))
    return _evaluate(folds, ratings.contents, features, settings, spent, report)


def evaluate_split(
    train: Ratings,
    test: Ratings,
    *,
    tune_seconds: float = TUNE_SECONDS,
    settings: Settings | None = None,
    report: Report | None = None,
) -> Quality:
    """A given split: each test person's interactions in ``train`` are their history, and only
    those are masked. Test people that ``train`` does not know get the popular; targets it does
    not know count as never found."""
    settings, spent = _settled(
        settings, partial(within_fold, train.matrix), None, tune_seconds, report
    )
    fold = Fold(train.matrix, given_people(train, test))
    return _evaluate([fold], train.contents, None, settings, spent, report)


def given_people(train: Ratings, test: Ratings) -> HeldOut:
    """The test people's histories and targets in the columns of ``train``."""
    rows = {person: row for row, person in enumerate(train.people)}
    known = [(i, rows[person]) for i, person in enumerate(test.people) if person in rows]
    pick = sp.csr_matrix(
        (
            np.ones(len(known), dtype=np.float32),
            ([i for i, _ in known], [row for _, row in known]),
        ),
        shape=(len(test.people), len(train.people)),
    )
    history = (pick @ train.matrix).tocsr()
    columns = {content: column for column, content in enumerate(train.contents)}
    mapped = np.array([columns.get(content, -1) for content in test.contents], dtype=np.int64)
    entries = test.matrix.tocoo()
    found = mapped[entries.col] >= 0
    targets = sp.csr_matrix(
        (entries.data[found], (entries.row[found], mapped[entries.col[found]])),
        shape=history.shape,
    )
    seen = targets.multiply(history > 0).tocsr()
    targets = (targets - seen).tocsr()
    targets.eliminate_zeros()
    missing = np.bincount(entries.row[~found], minlength=len(test.people))
    return HeldOut(history, targets, missing.astype(np.int64))


def _settled(
    settings: Settings | None,
    fold: Callable[[], Fold],
    features: sp.csr_matrix | None,
    seconds: float,
    report: Report | None,
) -> tuple[Settings, float]:
    if settings is not None:
        return settings, 0.0
    started = time.perf_counter()
    found, _ = tune(fold(), features, seconds=seconds, report=report)
    return found, time.perf_counter() - started


def _evaluate(
    folds: Sequence[Fold],
    contents: Sequence[str],
    features: sp.csr_matrix | None,
    settings: Settings,
    tune_seconds: float,
    report: Report | None,
) -> Quality:
    results, seconds, size = [], [], 0
    for number, fold in enumerate(folds, 1):
        started = time.perf_counter()
        model = fit_model(fold.train, contents, settings=settings, features=features)
        seconds.append(time.perf_counter() - started)
        size = max(size, saved_bytes(model))
        results.append(judge_model(model, fold.held_out))
        if fold.draws > 1:
            first = judge(Scorer(model), fold.first_draw())
            results[-1]["first_draw_ndcg@100"] = first["ndcg@100"]
        if report is not None:
            report(f"fold {number}: ndcg@100 {results[-1]['ndcg@100']:.4f}")
    means = {name: float(np.mean([result[name] for result in results])) for name in results[0]}
    return Quality(means, float(np.mean(seconds)), tune_seconds, size, settings, tuple(results))


def judge_model(model: Model, people: HeldOut) -> dict[str, float]:
    """Quality with whole histories, and with one random interaction of each."""
    scorer = Scorer(model)
    figures = judge(scorer, people)
    one = HeldOut(shorten(people.history, 1), people.targets, people.missing)
    figures["one_like_ndcg@100"] = judge(scorer, one, masked=people.history)["ndcg@100"]
    return figures


def saved_bytes(model: Model) -> int:
    """The size of the model's bundle on disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = save_model(model, Path(folder) / "model", name="evaluated", version="0")
        return sum(file.stat().st_size for file in path.iterdir())
