"""How much of what speaks against a content is kept; without any, the best weights are found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from discern.recommendations.counters import Counters
from discern.recommendations.fit import fit_model
from discern.recommendations.gram import Floats
from discern.recommendations.matrices import Ratings, from_pairs
from discern.recommendations.settings import Settings, sized
from discern.recommendations.solve import Ridge, solve_one
from discern.recommendations.split import Fold, hold_out
from discern.recommendations.tune import tune

WEIGHTED = Settings(neighbours=12, ridge=1.0, content_weight=0.0, short_dropout=0.9)


def _block(seed: int, members: int) -> Floats:
    rng = np.random.default_rng(seed)
    likes = (rng.random((80, members)) < rng.uniform(0.02, 0.4, members)).astype(np.float32)
    likes[:, rng.integers(members)] = likes[:, 0]  # two that are liked by the very same people
    return likes.T @ likes


def _ratings(seed: int = 3, people: int = 60, size: int = 30) -> Ratings:
    rng = np.random.default_rng(seed)
    who, what = rng.integers(0, people, 500), rng.integers(0, size, 500)
    return from_pairs(
        [f"p{i}" for i in who], [str(i) for i in what], contents=[str(i) for i in range(size)]
    )


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    members=st.integers(2, 60),
    ridge=st.floats(0.05, 100),
    dropout=st.floats(0.0, 0.98),
)
def test_weights_without_any_below_0_are_those_of_a_reference_solver(
    seed: int, members: int, ridge: float, dropout: float
) -> None:
    block = _block(seed, members)
    found = solve_one(block, Ridge(ridge, dropout, against=0.0))
    system = block[:-1, :-1].astype(np.float64)
    system[np.diag_indices(members - 1)] += Ridge(ridge, dropout).penalty(
        np.diagonal(block[:-1, :-1])
    )
    factor = np.linalg.cholesky(system)
    wanted, _ = nnls(factor.T, np.linalg.solve(factor, block[:-1, -1].astype(np.float64)))
    assert (found >= 0).all()
    assert np.allclose(found, wanted, atol=2e-4)


@given(seed=st.integers(0, 10_000), against=st.floats(0, 1))
def test_a_share_lies_between_the_two_solutions(seed: int, against: float) -> None:
    block = _block(seed, 20)
    none, some, all_of_it = (
        solve_one(block, Ridge(2.0, 0.3, against=share)) for share in (0.0, against, 1.0)
    )
    assert np.allclose(some, none + against * (all_of_it - none), atol=1e-5)


def test_a_model_without_weights_below_0_keeps_only_what_speaks_for_something() -> None:
    ratings = _ratings()
    chosen = replace(WEIGHTED, short_dropout=0.1)
    both = fit_model(ratings.matrix, ratings.contents, settings=chosen)
    without = fit_model(ratings.matrix, ratings.contents, settings=replace(chosen, against=0.0))
    assert (both.long < 0).any()
    assert (without.long >= 0).all()
    assert (without.short >= 0).all()
    assert len(without.indices) < len(both.indices)


@pytest.mark.parametrize("against", [0.0, 0.5])
def test_a_column_solved_again_is_what_the_fit_gave(against: float) -> None:
    ratings = _ratings()
    chosen = replace(WEIGHTED, against=against)
    model = fit_model(ratings.matrix, ratings.contents, settings=chosen)
    counters = Counters.of(ratings, chosen)
    for column in range(model.size):
        neighbours, long, short = counters.solve(column)
        for weights, found in ((model.matrix(), long), (model.matrix(short=True), short)):
            again = np.zeros(model.size, dtype=np.float32)
            again[neighbours] = found
            assert np.allclose(weights[:, [column]].toarray().ravel(), again, atol=1e-3)


def test_the_dense_solution_is_not_taken_where_weights_below_0_are_weighed_down() -> None:
    assert sized(Settings(), 30).dense
    assert not sized(Settings(against=0.5), 30).dense


def test_tuning_drops_what_speaks_against_contents_where_that_is_noise() -> None:
    """Everybody likes a few of their own group's contents, at random: nothing is known against
    any content, so what the weights below 0 say comes from the sample."""
    rng = np.random.default_rng(5)
    groups, each, people = 6, 25, 180
    rows, columns = [], []
    for person in range(people):
        liked = rng.choice(each, 6, replace=False) + each * (person % groups)
        rows += [person] * len(liked)
        columns += liked.tolist()
    matrix = sp.csr_matrix(
        (np.ones(len(rows), np.float32), (rows, columns)), shape=(people, groups * each)
    )
    held = hold_out(matrix[:60].tocsr(), seed=1)
    found, _ = tune(Fold(matrix[60:].tocsr(), held), seconds=20.0)
    assert found.against < 1
