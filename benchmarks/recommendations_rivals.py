"""What recommendation quality is held against: popularity, the blog's TF-IDF, EASE, EDLAE, and
``implicit`` in its own environment. Each takes a fold and returns the best hundred columns of
each test person."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.environments import PEERS, ROOT, python_of
from discern.recommendations.fit import gram_of
from discern.recommendations.gram import DenseGram
from discern.recommendations.metrics import HeldOut, figures, top_columns
from discern.recommendations.settings import Settings
from discern.recommendations.solve import Ridge, solve_dense
from discern.recommendations.split import Fold, shorten

DEPTH: Final = 100
NAMES: Final = (
    "recall@10", "recall@20", "recall@50", "ndcg@10", "ndcg@20", "ndcg@100"
)  # fmt: skip
PEOPLE_AT_ONCE: Final = 512

Floats = NDArray[np.float32]
Ranked = NDArray[np.int64]
Scores = Callable[[sp.csr_matrix], Floats]


@dataclass(frozen=True, slots=True)
class Given:
    """One fold and what its contents say: ``features`` as Discern reads them, ``texts`` raw."""

    fold: Fold
    features: sp.csr_matrix
    texts: Sequence[str]


def judged(ranked: Ranked, people: HeldOut) -> dict[str, float]:
    """The protocol's figures for lists of a hundred."""
    rows = figures(ranked, people.targets, people.missing)
    return dict(zip(NAMES, map(float, rows.mean(axis=0)), strict=True))


def ranked_by(scores: Scores, history: sp.csr_matrix, masked: sp.csr_matrix) -> Ranked:
    """The best hundred columns of each history."""
    parts = [
        top_columns(
            scores(history[start : start + PEOPLE_AT_ONCE]),
            masked[start : start + PEOPLE_AT_ONCE],
            DEPTH,
        )
        for start in range(0, history.shape[0], PEOPLE_AT_ONCE)
    ]
    return np.concatenate(parts)


def with_one_like(scores: Scores, people: HeldOut) -> dict[str, float]:
    """The figures for whole histories, and NDCG@100 where one random like is all that is known."""
    found = judged(ranked_by(scores, people.history, people.history), people)
    one = ranked_by(scores, shorten(people.history, 1), people.history)
    return {**found, "one_like_ndcg@100": judged(one, people)["ndcg@100"]}


def popularity(given: Given) -> Scores:
    """The same list for everybody."""
    counts = np.asarray((given.fold.train > 0).sum(axis=0), dtype=np.float32).ravel()
    return lambda history: np.tile(counts, (history.shape[0], 1))


def blog(given: Given) -> Scores:
    """The blog's recommender, mended: cosine of each content's TF-IDF with the mean of the liked
    ones'. Fitted once, which gives the same lists as fitting for each request."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = sp.csr_matrix(TfidfVectorizer(stop_words="english").fit_transform(given.texts))
    # The profile's length changes no order.
    return lambda history: np.asarray((history @ vectors @ vectors.T).todense(), dtype=np.float32)


def dense(given: Given, ridge: Ridge, *, content: float = 0.0) -> Scores:
    """EASE (no dropout) or EDLAE, all weights at once."""
    settings = Settings(activity_exponent=0.0, content_weight=content)
    gram = gram_of(given.fold.train, given.features if content else None, settings)
    if not isinstance(gram, DenseGram):
        raise TypeError("these sets are small")
    weights = solve_dense(gram, ridge)
    return lambda history: np.asarray(history @ weights, dtype=np.float32)


def implicit_ranked(
    model: str, settings: dict[str, Any], given: Given, history: sp.csr_matrix
) -> tuple[Ranked, dict[str, float]]:
    """Lists of ``implicit``, made in its own environment, and what its fit cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sp.save_npz(folder / "train.npz", given.fold.train)
        sp.save_npz(folder / "histories.npz", history)
        job = {
            "train": str(folder / "train.npz"),
            "histories": str(folder / "histories.npz"),
            "output": str(folder / "ranked.npy"),
            "model": model,
            "settings": settings,
        }
        spent = run_implicit(job)
        return np.load(folder / "ranked.npy").astype(np.int64), spent


def run_implicit(job: dict[str, Any]) -> dict[str, float]:
    """Runs one job of ``peers/recommenders_implicit.py``."""
    done = subprocess.run(
        [str(python_of("implicit")), str(PEERS / "recommenders_implicit.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))
