"""Who is learned from, who is tuned on and who is judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.matrices import keep_people
from discern.recommendations.metrics import HeldOut

SEED: Final = 98765
TENTHS: Final = 10
TEST_FOLDS: Final = 3
ENOUGH_PEOPLE: Final = 500
MOST_PEOPLE: Final = 2_000
MOST_JUDGED: Final = 10_000
"""Test people and draws of their fifths, in each fold. Which fifth is drawn moves the mean of a few
hundred people by about a hundredth of its value, which is as much as good rankers differ; over so
many draws by a thousandth."""

MOST_DRAWS: Final = 40
MOST_TUNED: Final = 2_500
"""As :data:`MOST_JUDGED`, for those whom settings are chosen on: next to the weights that are
solved for it, judging one of them costs nothing, and what is chosen by few is chosen by chance."""


@dataclass(frozen=True, slots=True)
class Fold:
    """People to learn from (CSR), and others to judge by, ``draws`` times each: first all of them
    once, then all of them again."""

    train: sp.csr_matrix
    held_out: HeldOut
    draws: int = 1

    def first_draw(self) -> HeldOut:
        """Each person once: the same as if they had been drawn no further time."""
        held = self.held_out
        part = slice(0, held.history.shape[0] // self.draws)
        return HeldOut(held.history[part], held.targets[part], held.missing[part])


def tenths(people: int) -> list[NDArray[np.int64]]:
    """One fixed permutation of the people, cut into ten parts. The seed and its generator are
    those of Liang et al., "Variational Autoencoders for Collaborative Filtering" (WWW 2018), whose
    splits others report on."""
    return np.array_split(np.random.RandomState(SEED).permutation(people), TENTHS)


def test_folds(interactions: sp.csr_matrix) -> Iterator[Fold]:
    """Fold f: test = tenth 2f, validation = tenth 2f + 1 (left out here), train = the rest.

    Each test person is judged :func:`draws_of` times, by another random fifth each time; a row of
    the fold's ``held_out`` is one person and one draw."""
    parts = tenths(interactions.shape[0])
    for fold in range(TEST_FOLDS):
        left_out = (2 * fold, 2 * fold + 1)
        train = np.concatenate([part for i, part in enumerate(parts) if i not in left_out])
        judged = parts[2 * fold]
        draws = draws_of(len(judged))
        yield Fold(
            keep_people(interactions, np.sort(train)),
            hold_out(keep_people(interactions, np.tile(judged, draws)), seed=SEED + fold),
            draws,
        )


def draws_of(people: int, most: int = MOST_JUDGED) -> int:
    """How often a fold of so many people draws each one's fifth anew: once for thousands of
    people, up to :data:`MOST_DRAWS` times for few."""
    return min(max(most // max(people, 1), 1), MOST_DRAWS)


def validation_fold(interactions: sp.csr_matrix) -> Fold:
    """For tuning once for all test folds: nobody in it is ever tested, neither those learned
    from nor those judged by."""
    parts = tenths(interactions.shape[0])
    spare = [part for i, part in enumerate(parts) if i not in range(0, 2 * TEST_FOLDS, 2)]
    wanted = 1
    while wanted < 3 and sum(map(len, spare[:wanted])) < ENOUGH_PEOPLE:
        wanted += 1
    judged = np.concatenate(spare[:wanted])[:MOST_PEOPLE]
    train = np.sort(np.concatenate(spare[wanted:]))
    return _tuning_fold(interactions, train, judged)


def people_fold(interactions: sp.csr_matrix) -> Fold:
    """A tenth of the people (at most :data:`MOST_PEOPLE`) to tune on, the others to learn from."""
    order = np.random.default_rng(SEED).permutation(interactions.shape[0])
    count = min(max(len(order) // TENTHS, min(ENOUGH_PEOPLE, len(order) // 4), 1), MOST_PEOPLE)
    return _tuning_fold(interactions, np.sort(order[count:]), order[:count])


def _tuning_fold(
    interactions: sp.csr_matrix, train: NDArray[np.int64], judged: NDArray[np.int64]
) -> Fold:
    rows = np.tile(judged, draws_of(len(judged), MOST_TUNED))
    return Fold(
        keep_people(interactions, train), hold_out(keep_people(interactions, rows), seed=SEED)
    )


def within_fold(interactions: sp.csr_matrix) -> Fold:
    """A fifth of some people's interactions to tune on; what is left of theirs and everything of
    the others to learn from. For a given split whose test people are in its training part."""
    rng = np.random.default_rng(SEED)
    able = np.flatnonzero(np.diff(interactions.indptr) >= 2)
    chosen = np.sort(rng.permutation(able)[:MOST_PEOPLE])
    held = hold_out(keep_people(interactions, chosen), seed=SEED, at_least=1)
    others = np.setdiff1d(np.arange(interactions.shape[0]), chosen)
    train = sp.vstack([keep_people(interactions, others), held.history]).tocsr()
    return Fold(train, held)


def hold_out(people: sp.csr_matrix, *, seed: int, at_least: int = 0) -> HeldOut:
    """A random fifth (rounded down) of each row held out, the rest is the history."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(people.shape[0]), np.diff(people.indptr))
    order = np.lexsort((rng.random(people.nnz), rows))
    place = np.arange(people.nnz) - people.indptr[rows]
    lengths = np.diff(people.indptr)
    count = np.minimum(np.maximum(lengths // 5, at_least), np.maximum(lengths - 1, 0))
    held = np.zeros(people.nnz, dtype=bool)
    held[order] = place < count[rows]
    return HeldOut(
        _part(people, rows, ~held),
        _part(people, rows, held),
        np.zeros(people.shape[0], dtype=np.int64),
    )


def shorten(history: sp.csr_matrix, length: int, *, seed: int = SEED) -> sp.csr_matrix:
    """Each row's history cut to a random few."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(history.shape[0]), np.diff(history.indptr))
    order = np.lexsort((rng.random(history.nnz), rows))
    place = np.arange(history.nnz) - history.indptr[rows]
    kept = np.zeros(history.nnz, dtype=bool)
    kept[order] = place < length
    return _part(history, rows, kept)


def _part(people: sp.csr_matrix, rows: NDArray[np.int64], kept: NDArray[np.bool_]) -> sp.csr_matrix:
    return sp.csr_matrix(
        (people.data[kept], (rows[kept], people.indices[kept])), shape=people.shape
    )
