"""Who is judged, by what, and that nobody judged was learned from."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

import scipy.sparse as sp

from discern.recommendations import split
from discern.recommendations.split import Fold, draws_of, tenths

PEOPLE, CONTENTS = 90, 60


@pytest.fixture(scope="module")
def matrix() -> sp.csr_matrix:
    rng = np.random.default_rng(5)
    dense = (rng.random((PEOPLE, CONTENTS)) < 0.4).astype(np.float32)
    dense[:, 0] = 0
    dense[:, 1] = np.arange(1, PEOPLE + 1)  # who a row is, whatever its place
    return sp.csr_matrix(dense)


@pytest.fixture(scope="module")
def folds(matrix: sp.csr_matrix) -> list[Fold]:
    return list(split.test_folds(matrix))


def _whole(fold: Fold) -> np.ndarray:
    return np.asarray((fold.held_out.history + fold.held_out.targets).todense())


def test_each_test_person_is_judged_by_several_fifths_of_their_own_likes(
    matrix: sp.csr_matrix, folds: list[Fold]
) -> None:
    for number, fold in enumerate(folds):
        judged = tenths(PEOPLE)[2 * number]
        draws = draws_of(len(judged))
        assert np.array_equal(_whole(fold), np.tile(matrix[judged].toarray(), (draws, 1)))
        held = np.diff(fold.held_out.targets.indptr)
        assert np.array_equal(held, np.tile(np.diff(matrix[judged].indptr) // 5, draws))
        drawn = fold.held_out.targets.toarray().reshape(draws, len(judged), CONTENTS)
        assert len(np.unique(drawn[:, 0], axis=0)) > 1, "the draws are all the same"


def test_nobody_judged_was_learned_from(folds: list[Fold]) -> None:
    for fold in folds:
        learned = set(fold.train[:, 1].toarray().ravel())
        assert not learned & set(_whole(fold)[:, 1])


def test_the_first_draw_is_what_a_single_one_would_have_been(
    matrix: sp.csr_matrix, folds: list[Fold]
) -> None:
    for number, fold in enumerate(folds):
        judged = split.keep_people(matrix, tenths(PEOPLE)[2 * number])
        single = split.hold_out(judged, seed=split.SEED + number)
        first = fold.first_draw()
        assert np.array_equal(first.targets.toarray(), single.targets.toarray())
        assert np.array_equal(first.history.toarray(), single.history.toarray())


def test_the_folds_are_the_same_every_time(matrix: sp.csr_matrix, folds: list[Fold]) -> None:
    for fold, again in zip(folds, split.test_folds(matrix), strict=True):
        assert (fold.held_out.targets != again.held_out.targets).nnz == 0


@pytest.mark.parametrize(("people", "draws"), [(1, 40), (600, 16), (10_001, 1), (0, 40)])
def test_the_more_people_are_judged_the_fewer_draws_each_one_needs(people: int, draws: int) -> None:
    assert draws_of(people) == draws
