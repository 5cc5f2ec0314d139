"""Finds a model's settings on held-out people, in bounded time.

A pattern search: from a good start each setting is moved up and down, and a move that ranks
held-out interactions better is kept. Candidates are compared on a sample of the columns, so that
one comparison costs seconds on a large catalogue; ridge and dropout share one extraction of the
neighbours' blocks, which is most of the cost. How much weights below 0 count is asked first, as
the other settings hang on it, and once more at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.fit import gram_of, popularity_scale, ridges, typical_largest
from discern.recommendations.gram import Floats, Gram, Indices
from discern.recommendations.metrics import HeldOut, hits_of, ndcg, top_columns
from discern.recommendations.model import prior_share, short_share
from discern.recommendations.settings import Settings, neighbours_for, sized
from discern.recommendations.solve import solve_columns, to_rows
from discern.recommendations.split import SEED, Fold, shorten

SAMPLED_COLUMNS: Final = 2_000
SEARCH_NEIGHBOURS: Final = 120
"""Fewer than a fit keeps: the best settings are the same, and a comparison costs a third."""

JUDGED_PEOPLE: Final = 2_500
AGAINST: Final = (1.0, 0.5, 0.0)
CLIMBING: Final = 0.75
"""The share of the time that may go by before what needs all the neighbours is compared."""

FEWEST: Final = 32
NO_WORSE: Final = 2e-4
SHORT_LENGTHS: Final = (1, 3, 10)
SHORT_DROPOUTS: Final = (0.95, 0.88, 0.98)
PEOPLE_AT_ONCE: Final = 256

Report = Callable[[str], None]
Scored = tuple[float, Settings]


@dataclass(slots=True)
class _Search:
    """The state of one search: data, sample, clock and what was tried."""

    fold: Fold
    features: sp.csr_matrix | None
    deadline: float
    report: Report
    columns: NDArray[np.int64]
    grace: float = 0.0
    tried: dict[Settings, float] = field(default_factory=dict)
    gram_key: tuple[float, float] | None = None
    gram: Gram | None = None

    def out_of_time(self) -> bool:
        return time.perf_counter() > self.deadline

    def gram_for(self, settings: Settings) -> Gram:
        key = (settings.activity_exponent, settings.content_weight)
        if self.gram is None or key != self.gram_key:
            self.gram = None  # frees the old matrix before the next one is made
            self.gram = gram_of(self.fold.train, self.features, settings)
            self.gram_key = key
        return self.gram


def tune(
    fold: Fold,
    features: sp.csr_matrix | None = None,
    *,
    seconds: float = 90.0,
    start: Settings | None = None,
    report: Report | None = None,
) -> tuple[Settings, float]:
    """Settings for data like ``fold.train``, and the held-out NDCG they reached on the sample.

    ``seconds`` bounds the search: no comparison of weights begins after them, and none of what
    needs no new weights (short histories, popularity) after half as long again. The same data and
    number of comparisons give the same settings.
    """
    size = fold.train.shape[1]
    began = time.perf_counter()
    search = _Search(
        fold=_few_people(fold),
        features=features,
        deadline=began + CLIMBING * seconds,
        report=report or (lambda _line: None),
        columns=_sample(fold.train),
        grace=seconds / 2,
    )
    # Words steady the weights as a ridge does: without them it must be larger.
    alone = Settings(ridge=120.0, content_weight=0.0)
    begin = start or (alone if features is None else Settings())
    begin = replace(begin, neighbours=min(SEARCH_NEIGHBOURS, max(size - 1, 1)))
    best = _climb(search, _with_against(search, begin))
    search.deadline = began + seconds
    settings, neighbours = best[1], neighbours_for(size)
    if not search.out_of_time():
        settings = _with_against(search, settings)
        neighbours = _fewest_neighbours(search, settings)
    settings = _tune_short(search, settings)
    return sized(settings, size, neighbours=neighbours), best[0]


def _few_people(fold: Fold) -> Fold:
    held = fold.held_out
    part = slice(0, JUDGED_PEOPLE)
    return Fold(fold.train, HeldOut(held.history[part], held.targets[part], held.missing[part]))


def _sample(train: sp.csr_matrix) -> NDArray[np.int64]:
    known = np.flatnonzero(np.asarray((train > 0).sum(axis=0)).ravel() > 0)
    chosen = np.random.default_rng(SEED).permutation(known)[:SAMPLED_COLUMNS]
    return np.sort(chosen).astype(np.int64)


def _climb(search: _Search, begin: Settings) -> Scored:
    best = max(_compare(search, begin, _ridge_moves(begin)), key=_score)
    step = 1.0
    while step > 0.3:
        before = best[0]
        for moves in _gram_moves(best[1], step, search.features is not None):
            for candidate in moves:
                if search.out_of_time():
                    return best
                best = max(best, *_compare(search, candidate, [candidate]), key=_score)
        if search.out_of_time():
            return best
        best = max(best, *_compare(search, best[1], _ridge_moves(best[1], step)), key=_score)
        if best[0] - before < 5e-4:
            step /= 2
    return best


def _with_against(search: _Search, at: Settings) -> Settings:
    """``at`` with the share of weights below 0 that is best with as many neighbours as a fit has:
    with fewer, they seem to do more harm than they do."""
    full = replace(at, neighbours=neighbours_for(search.fold.train.shape[1]))
    candidates = [replace(full, against=share) for share in AGAINST]
    best = max(_compare(search, full, candidates), key=_score)
    return replace(at, against=best[1].against)


def _fewest_neighbours(search: _Search, at: Settings) -> int:
    """How many neighbours a fit is to take: as many as the catalogue can afford, or half of them
    as often as that ranks no worse, for a smaller model and quicker lists."""
    count = neighbours_for(search.fold.train.shape[1])
    [(most, _)] = _compare(search, *_only(replace(at, neighbours=count)))
    while count // 2 >= FEWEST and not search.out_of_time():
        [(fewer, _)] = _compare(search, *_only(replace(at, neighbours=count // 2)))
        if fewer < most - NO_WORSE:
            break
        count //= 2
    return count


def _only(at: Settings) -> tuple[Settings, list[Settings]]:
    return at, [at]


def _score(scored: Scored) -> float:
    return scored[0]


def _ridge_moves(at: Settings, step: float = 1.0) -> list[Settings]:
    odds = at.dropout / (1 - at.dropout)
    moves = [at]
    for factor in (4.0**step, 4.0**-step):
        changed = odds * factor**0.5
        dropout = round(changed / (1 + changed), 3)
        moves += [
            replace(at, ridge=at.ridge * factor),
            replace(at, dropout=dropout),
            replace(at, ridge=at.ridge * factor, dropout=dropout),
            replace(at, ridge=at.ridge / factor, dropout=dropout),
        ]
    return moves


def _gram_moves(at: Settings, step: float, with_content: bool) -> Iterator[list[Settings]]:
    if with_content:
        yield [replace(at, content_weight=at.content_weight * 2.5**sign) for sign in (step, -step)]
    yield [
        replace(at, activity_exponent=round(at.activity_exponent + sign, 3))
        for sign in (0.25 * step, -0.25 * step)
        if 0.0 <= at.activity_exponent + sign <= 1.0
    ]
    yield [
        replace(at, neighbour_exponent=round(at.neighbour_exponent + sign, 3))
        for sign in (0.2 * step, -0.2 * step)
        if 0.05 <= at.neighbour_exponent + sign <= 1.0
    ]


def _compare(search: _Search, at: Settings, candidates: list[Settings]) -> list[Scored]:
    """Scores settings that differ from ``at`` in ridge, dropout and against only."""
    fresh = [candidate for candidate in candidates if candidate not in search.tried]
    if fresh:
        gram = search.gram_for(at)
        near = gram.neighbours(search.columns, at.neighbours, at.neighbour_exponent)
        solved = solve_columns(
            gram, search.columns, near, [ridges(candidate)[0] for candidate in fresh]
        )
        for candidate, weights in zip(fresh, solved, strict=True):
            matrix = to_rows(search.columns, near, weights, gram.size)[:, search.columns].tocsr()
            search.tried[candidate] = _quality(search, matrix)
            search.report(f"{search.tried[candidate]:.4f}  {_told(candidate)}")
    return [(search.tried[candidate], candidate) for candidate in candidates]


def _told(settings: Settings) -> str:
    return (
        f"neighbors {settings.neighbours}, ridge {settings.ridge:.3g}, "
        f"dropout {settings.dropout:.2f}, "
        f"content {settings.content_weight:.3g}, activity {settings.activity_exponent:.2f}, "
        f"measure {settings.neighbour_exponent:.2f}, against {settings.against:.2g}"
    )


def _quality(search: _Search, matrix: sp.csr_matrix) -> float:
    """Mean of NDCG at the sample's share of 20 and of 100 places."""
    held = search.fold.held_out
    part = search.columns
    share = len(part) / max(held.history.shape[1], 1)
    depths = [max(5, round(20 * share)), max(10, round(100 * share))]
    targets, masked = held.targets[:, part].tocsr(), held.history[:, part].tocsr()
    return _mean_ndcg(lambda rows: held.history[rows] @ matrix, masked, targets, depths)


def _mean_ndcg(
    scorer: Callable[[slice], sp.csr_matrix | Floats],
    masked: sp.csr_matrix,
    targets: sp.csr_matrix,
    depths: list[int],
) -> float:
    total, counted = 0.0, 0
    for start in range(0, masked.shape[0], PEOPLE_AT_ONCE):
        rows = slice(start, start + PEOPLE_AT_ONCE)
        scores = scorer(rows)
        dense = np.asarray(scores.todense() if sp.issparse(scores) else scores)
        ranked = top_columns(dense, masked[rows], max(depths))
        held = np.diff(targets[rows].indptr).astype(np.int64)
        hits = hits_of(ranked, targets[rows])[held > 0]
        held = held[held > 0]
        total += sum(float(ndcg(hits, held, depth).sum()) for depth in depths) / len(depths)
        counted += len(held)
    return total / max(counted, 1)


def _tune_short(search: _Search, best: Settings) -> Settings:
    """Settings that need no new blocks: popular targets held back, and people with few
    interactions. The full histories weigh as much as all the short ones together."""
    gram = search.gram_for(best)
    near = gram.neighbours(search.columns, best.neighbours, best.neighbour_exponent)
    candidates = [replace(best, short_dropout=dropout) for dropout in SHORT_DROPOUTS]
    wanted = [ridges(best)[0], *(ridges(candidate)[1] for candidate in candidates)]
    long, *short = solve_columns(gram, search.columns, near, wanted)
    parts = _Parts(search, near, long, dict(zip(SHORT_DROPOUTS, short, strict=True)))
    best = candidates[0]
    for moves in (_popularity_moves, _short_moves, _prior_moves):
        scored = [(parts.quality(best), best)]
        for candidate in moves(best):
            if time.perf_counter() > search.deadline + search.grace:
                break
            scored.append((parts.quality(candidate), candidate))
        best = max(scored, key=_score)[1]
        search.report(f"short histories: {best}")
    return best


def _popularity_moves(at: Settings) -> list[Settings]:
    return [replace(at, popularity_exponent=a) for a in (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)]


def _short_moves(at: Settings) -> list[Settings]:
    return [
        replace(at, short_dropout=dropout, short_history=length)
        for dropout in SHORT_DROPOUTS
        for length in (0.0, 3.0, 6.0, 12.0, 24.0)
    ]


def _prior_moves(at: Settings) -> list[Settings]:
    return [replace(at, prior=strength) for strength in (0.02, 0.1, 0.3, 1.0)]


class _Parts:
    """The pieces that settings for short histories combine."""

    def __init__(
        self, search: _Search, near: Indices, long: Floats, short: dict[float, Floats]
    ) -> None:
        train, columns = search.fold.train, search.columns

        def rows(weights: Floats) -> sp.csr_matrix:
            return to_rows(columns, near, weights, train.shape[1])[:, columns].tocsr()

        self._search = search
        self._long = rows(long)
        self._short = {dropout: rows(weights) for dropout, weights in short.items()}
        self._popularity: Floats = np.asarray((train > 0).sum(axis=0), dtype=np.float32).ravel()
        top = max(float(self._popularity.max(initial=0.0)), 1.0)
        self._share: Floats = self._popularity[columns] / np.float32(top)
        held = search.fold.held_out
        self._masked = held.history[:, search.columns].tocsr()
        self._targets = held.targets[:, search.columns].tocsr()
        self._histories = [held.history, *(shorten(held.history, k) for k in SHORT_LENGTHS)]
        share = len(search.columns) / train.shape[1]
        self._depths = [max(5, round(20 * share)), max(10, round(100 * share))]

    def quality(self, settings: Settings) -> float:
        scale = popularity_scale(self._popularity, settings.popularity_exponent)
        scale = scale[self._search.columns]
        prior = settings.prior * typical_largest(self._long) * self._share
        short = self._short[settings.short_dropout]
        figures = [
            _mean_ndcg(
                _Blend(history, self._long, short, settings.short_history, scale, prior),
                self._masked,
                self._targets,
                self._depths,
            )
            for history in self._histories
        ]
        return figures[0] + float(np.mean(figures[1:]))


@dataclass(slots=True)
class _Blend:
    """Scores of the sampled columns for a slice of people, as a model of these parts would."""

    history: sp.csr_matrix
    long: sp.csr_matrix
    short: sp.csr_matrix
    short_history: float
    scale: Floats
    prior: Floats

    def __call__(self, rows: slice) -> Floats:
        part = self.history[rows]
        length = np.diff(part.indptr).astype(np.float64)
        share = short_share(length, self.short_history)[:, None]
        long = np.asarray((part @ self.long).todense()) * (1 - share)
        short = np.asarray((part @ self.short).todense()) * share
        prior = prior_share(length)[:, None] * self.prior
        return np.asarray((long + short) * self.scale + prior, dtype=np.float32)
