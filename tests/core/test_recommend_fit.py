"""How a fit chooses its way by size, bounds its rows, and what live counters sum to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Filters, Interaction, RecommendationRequest
from discern.recommendations.counters import Counters
from discern.recommendations.fit import fit_model, shorten_rows
from discern.recommendations.fresh import Words
from discern.recommendations.gram import DENSE_LIMIT, DenseGram, SparseGram, make_gram
from discern.recommendations.matrices import Ratings, from_pairs
from discern.recommendations.rank import Ranker, _Candidates
from discern.recommendations.settings import Settings, sized
from discern.recommendations.text_features import learn_words
from discern.recommendations.word_weights import word_weights
from discern.recommendations.years import years_of_known, years_of_text

SIZE = 30


def _ratings(count: int = 500) -> Ratings:
    rng = np.random.default_rng(2)
    who, what = rng.integers(0, 60, count), rng.integers(0, SIZE, count)
    return from_pairs([f"p{i}" for i in who], [str(i) for i in what], contents=_names())


def _names() -> list[str]:
    return [str(i) for i in range(SIZE)]


def test_a_tiny_catalogue_is_solved_at_once_with_the_same_weights() -> None:
    ratings = _ratings()
    chosen = sized(Settings(ridge=3.0, content_weight=0.0), SIZE)
    assert chosen.dense
    local = replace(chosen, dense=False, neighbours=SIZE - 1)
    one, other = (
        fit_model(ratings.matrix, ratings.contents, settings=each).matrix().toarray()
        for each in (chosen, local)
    )
    assert np.allclose(one, other, atol=2e-3)


def test_a_larger_catalogue_keeps_few_neighbours() -> None:
    chosen = sized(Settings(), 5_000)
    assert not chosen.dense
    assert chosen.neighbours < 5_000


def test_no_dense_matrix_of_contents_above_the_limit() -> None:
    at_limit = sp.csc_matrix((3, 50), dtype=np.float32)
    above = sp.csc_matrix((3, DENSE_LIMIT + 1), dtype=np.float32)
    assert isinstance(make_gram(at_limit), DenseGram)
    assert isinstance(make_gram(above), SparseGram)


@given(st.integers(1, 12), st.integers(0, 5))
def test_rows_keep_their_largest_weights_in_order(most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(8, 12)).astype(np.float32)
    weights = sp.csr_matrix(dense)
    short = weights.data * 2
    kept, kept_short = shorten_rows(weights, short, most)
    assert kept.has_sorted_indices
    assert np.array_equal(kept_short, kept.data * 2)
    for row in range(8):
        size = np.sort(np.abs(dense[row]))[::-1][:most]
        assert np.array_equal(np.sort(np.abs(kept[row].data))[::-1], size)


@settings(max_examples=60)
@given(
    st.integers(0, 50),
    st.integers(1, 8),
    st.sets(st.integers(0, SIZE - 1), max_size=10),
    st.sets(st.integers(0, SIZE - 1), max_size=25),
)
def test_looking_at_the_top_first_gives_the_list_of_looking_at_everything(
    seed: int, count: int, seen: set[int], excluded: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    # Few distinct scores, so that there are ties at every edge.
    found = _Candidates(np.arange(SIZE), rng.integers(0, 6, SIZE).astype(float))
    catalogue = Catalogue(_names())
    filters = Filters(exclude=tuple(map(str, excluded)))
    met = np.array(sorted(seen), dtype=np.int64)
    quick = found.best_allowed(count, catalogue, filters, met)
    allowed = found.allowed(catalogue, filters, met)
    order = np.lexsort((allowed.columns, -allowed.scores))[:count]
    assert quick.columns.tolist() == allowed.columns[order].tolist()


def test_a_column_solved_again_is_what_a_new_fit_gives() -> None:
    ratings = _ratings(2_500)  # so many that every two contents have somebody in common
    chosen = Settings(neighbours=SIZE - 1, ridge=3.0, content_weight=0.0)
    counters = Counters.of(ratings, chosen)
    fitted = fit_model(ratings.matrix, ratings.contents, settings=chosen).matrix().toarray()
    for column in (0, 7, SIZE - 1):
        neighbours, long, _ = counters.solve(column)
        assert np.allclose(fitted[neighbours, column], long, atol=2e-3)


def test_columns_do_not_depend_on_the_order_people_came_in() -> None:
    ratings = _ratings()
    chosen = Settings(neighbours=10, ridge=3.0, content_weight=0.0)
    entries = [
        (ratings.people[row], int(column), 1.0)
        for row in range(len(ratings.people))
        for column in ratings.matrix[row].indices
    ]
    forth, back = (Counters(SIZE, chosen, mean_activity=8.0) for _ in range(2))
    for entry in entries:
        forth.put(*entry)
    for entry in sorted(entries, key=lambda entry: (entry[0], -entry[1]), reverse=True):
        back.put(*entry)
    for column in range(SIZE):
        one, other = forth.solve(column), back.solve(column)
        assert one[0].tolist() == other[0].tolist()
        assert np.allclose(one[1], other[1], rtol=1e-4, atol=1e-6)


def test_an_erased_person_leaves_nothing_in_the_columns() -> None:
    ratings = _ratings()
    chosen = Settings(neighbours=10, ridge=3.0, content_weight=0.0, activity_exponent=0.0)
    counters = Counters.of(ratings, chosen)
    before = counters.solve(3)
    for column in range(SIZE):
        counters.put("guest", column, 1.0)
    assert not np.array_equal(counters.solve(3)[1], before[1])
    counters.remove("guest")
    after = counters.solve(3)
    assert after[0].tolist() == before[0].tolist()
    assert np.allclose(after[1], before[1], atol=1e-6)


def test_a_word_that_the_same_people_like_weighs_more_than_one_that_says_nothing() -> None:
    rng = np.random.default_rng(1)
    author, chance = rng.random(40) < 0.3, rng.random(40) < 0.3
    fond = rng.random((200, 1)) < 0.5
    likes = rng.random((200, 40)) < np.where(fond & author, 0.5, 0.1)
    features = sp.csr_matrix(np.column_stack([author, chance]).astype(np.float32))
    told, silent = word_weights(features, sp.csr_matrix(likes.astype(np.float32)))
    assert told > 1.2
    assert silent < 1.1


def test_words_and_their_weights_survive_a_bundle() -> None:
    documents = ["red fish", "red bird", "blue fish", "blue bird"]
    vocabulary = learn_words(documents)
    features = vocabulary.vectors(documents)
    words = Words(vocabulary, features, np.arange(1, features.shape[1] + 1, dtype=np.float32))
    again = Words.from_arrays(vocabulary.words, words.arrays(), len(documents))
    assert again.weights is not None
    assert np.array_equal(again.weights, words.weights)
    old = {name: array for name, array in words.arrays().items() if name != "weights"}
    assert Words.from_arrays(vocabulary.words, old, len(documents)).weights is None


def test_a_list_is_the_best_of_the_whole_product() -> None:
    ratings = _ratings()
    chosen = Settings(neighbours=10, ridge=3.0, content_weight=0.0, short_history=0.0)
    model = fit_model(ratings.matrix, ratings.contents, settings=chosen)
    ranker = Ranker(model, Catalogue(model.contents))
    liked = list(range(15))
    history = tuple(Interaction("x", str(i), liked=True) for i in liked)
    lines = ranker.recommend(RecommendationRequest(history, n=3, exploration=0.0))
    scores = model.matrix()[liked].sum(axis=0).A1
    scores = scores + np.exp(-15 / 4) * model.prior
    scores[liked] = -np.inf
    assert [line.content for line in lines] == [str(i) for i in np.argsort(-scores)[:3]]


def test_years_near_one_another_are_alike_also_one_that_no_known_text_names() -> None:
    documents = ["a storm in 1994", "a storm in 1950", "calm since 1994", "calm since 1950"]
    vocabulary = learn_words(documents)
    known = years_of_known(vocabulary, vocabulary.vectors(documents))
    alike = (known @ years_of_text("At sea (1996)").T).toarray().ravel()
    assert np.allclose(alike, [np.exp(-0.5 * (2 / 6) ** 2), 0] * 2, atol=0.01)
    assert years_of_text("no year, and 12345 is none").nnz == 0
