"""Lists: the sum behind one, its filters, its reasons and its limits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import InvalidInput, TooLarge
from discern.recommendations import (
    Content,
    Filters,
    Interaction,
    RecommendationRequest,
    Recommender,
)
from discern.recommendations.history import weigh
from discern.recommendations.rank import fold_in
from tests.core.readers import (
    CATEGORIES,
    SETTINGS,
    SIZE,
    contents,
    interactions,
)


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    return Recommender.fit(contents(), interactions(), settings=SETTINGS)


histories = st.lists(
    st.builds(
        Interaction,
        person=st.just("x"),
        content=st.integers(0, SIZE + 3).map(lambda i: f"c{i}"),
        liked=st.booleans(),
        disliked=st.booleans(),
        view_time=st.floats(0, 400),
        at=st.floats(0, 1e7),
    ),
    max_size=30,
).map(tuple)
filters = st.builds(
    Filters,
    categories=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
    tags=st.lists(st.sampled_from(["t0", "t1", "t2", "none"]), max_size=2).map(tuple),
    exclude=st.lists(st.integers(0, SIZE).map(lambda i: f"c{i}"), max_size=5).map(tuple),
    allow_seen=st.booleans(),
    allow_unavailable=st.booleans(),
)


@given(history=histories)
@settings(max_examples=60, deadline=None)
def test_fold_in_equals_the_product_of_the_history_with_the_weights(
    recommender: Recommender, history: tuple[Interaction, ...]
) -> None:
    ranker = recommender.ranker
    weighed = weigh(history, ranker.catalogue.column)
    terms = fold_in(ranker.rows, weighed, 0.0)
    summed = np.bincount(terms.targets, weights=terms.values, minlength=SIZE)
    row = np.zeros(SIZE)
    row[weighed.columns] = weighed.weights
    assert np.allclose(summed, row @ ranker.model.matrix().toarray(), atol=1e-4)


@given(history=histories, allowed=filters, diversity=st.sampled_from([0.0, 0.4, 1.0]))
@settings(max_examples=80, deadline=None)
def test_no_filter_ever_leaks_and_no_line_comes_twice(
    recommender: Recommender,
    history: tuple[Interaction, ...],
    allowed: Filters,
    diversity: float,
) -> None:
    request = RecommendationRequest(history=history, filters=allowed, n=15, diversity=diversity)
    found = recommender.ranker.recommend(request)
    known = {content.id: content for content in contents()}
    seen = {event.content for event in history}
    assert len({line.content for line in found}) == len(found) <= 15
    for line in found:
        content = known[line.content]
        assert not allowed.categories or content.category in allowed.categories
        assert not allowed.tags or set(content.tags) & set(allowed.tags)
        assert content.id not in allowed.exclude
        assert allowed.allow_unavailable or content.available
        assert allowed.allow_seen or content.id not in seen


WIDE = 320


@pytest.fixture(scope="module")
def wide() -> Recommender:
    recommender = Recommender.fit(contents(WIDE), interactions(), settings=SETTINGS)
    recommender.add_contents([Content(f"new{i}", text=f"sea words{i % 7}") for i in range(20)])
    return recommender


@given(
    order=st.permutations(range(WIDE)),
    count=st.integers(201, 300),
    told=st.integers(0, 300),
    n=st.integers(1, 120),
    exploration=st.sampled_from([0.0, 0.1, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_what_was_met_before_the_newest_200_is_not_listed_either(
    wide: Recommender, order: list[int], count: int, told: int, n: int, exploration: float
) -> None:
    met = [f"c{i}" for i in order[:count]] + ["new1", "new2"]
    history = tuple(Interaction("x", name, liked=True, at=9.0 - i) for i, name in enumerate(met))
    request = RecommendationRequest(
        history=history[:told], seen=tuple(met), n=n, exploration=exploration
    )
    found = wide.ranker.recommend(request)
    assert not {line.content for line in found} & set(met)
    if told >= count:
        alone = RecommendationRequest(history=history[:told], n=n, exploration=0.0)
        listed = {line.content for line in wide.ranker.recommend(alone)}
        assert not listed & set(met[:told])


def test_a_recommender_lists_nothing_that_was_met_thousands_of_events_ago(
    wide: Recommender,
) -> None:
    for i in range(300):
        wide.add(Interaction("reader", f"c{i}", liked=True, at=float(i)))
    for again in range(2_500):
        wide.add(Interaction("reader", f"c{again % 3}", view_time=1.0, at=1000.0 + again))
    listed = {line.content for line in wide.recommend("reader", 100)}
    assert listed
    assert not listed & {f"c{i}" for i in range(300)}
    wide.erase("reader")


def test_a_like_taken_back_leaves_the_reading_that_was_told_with_it(
    recommender: Recommender,
) -> None:
    recommender.add(Interaction("reader", "c1", liked=True, view_time=30.0, at=1.0))
    recommender.add(Interaction("reader", "c1", disliked=True, at=2.0))
    assert recommender.withdraw("reader", "c1") == 2
    assert recommender.withdraw("reader", "c1") == 0
    assert "c1" not in {line.content for line in recommender.recommend("reader", SIZE)}
    assert recommender.erase("reader") == 1


@given(history=histories, diversity=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_same_request_gives_the_same_list(
    recommender: Recommender, history: tuple[Interaction, ...], diversity: float
) -> None:
    request = RecommendationRequest(history=history, diversity=diversity)
    assert recommender.ranker.recommend(request) == recommender.ranker.recommend(request)


@given(history=histories)
@settings(max_examples=60, deadline=None)
def test_a_reason_names_something_the_person_met_and_did_not_dislike(
    recommender: Recommender, history: tuple[Interaction, ...]
) -> None:
    found = recommender.ranker.recommend(RecommendationRequest(history=history))
    fond = {event.content for event in history if not event.disliked}
    for line in found:
        if line.reason.kind == "because":
            assert line.reason.content in fond


@given(history=histories, n=st.integers(1, SIZE))
@settings(max_examples=40, deadline=None)
def test_a_list_is_only_shorter_than_asked_when_nothing_is_left(
    recommender: Recommender, history: tuple[Interaction, ...], n: int
) -> None:
    found = recommender.ranker.recommend(RecommendationRequest(history=history, n=n))
    seen = {event.content for event in history}
    left = [c for c in contents() if c.available and c.id not in seen]
    assert len(found) == min(n, len(left))


def test_lists_follow_what_people_like(recommender: Recommender) -> None:
    for place, category in enumerate(CATEGORIES):
        for item in (place, place + 4, place + 8):
            recommender.add(Interaction(f"fan{place}", f"c{item}", liked=True, at=1.0))
        found = recommender.recommend(f"fan{place}", 5, exploration=0)
        hits = sum(int(line.content[1:]) % 4 == place for line in found)
        assert hits >= 3, category


def test_a_like_changes_the_very_next_list(recommender: Recommender) -> None:
    before = recommender.recommend("newcomer", 10)
    recommender.add(Interaction("newcomer", "c2", liked=True, at=1.0))
    after = recommender.recommend("newcomer", 10)
    assert [line.content for line in before] != [line.content for line in after]
    assert any(line.reason.content == "c2" for line in after)


def test_after_one_like_what_popularity_would_not_list_is_there_because_of_it(
    recommender: Recommender,
) -> None:
    before = {line.content for line in recommender.recommend("nobody at all", 6, exploration=0)}
    like = Interaction("somebody", "c12", liked=True)
    request = RecommendationRequest(history=(like,), n=6, exploration=0)
    found = recommender.ranker.recommend(request)
    moved_in = [line for line in found if line.content not in before]
    assert moved_in
    assert {(line.reason.kind, line.reason.content) for line in moved_in} == {("because", "c12")}


def test_more_diversity_means_less_alike(recommender: Recommender) -> None:
    history = tuple(Interaction("x", f"c{i}", liked=True) for i in (0, 4, 8))

    def categories(diversity: float) -> int:
        request = RecommendationRequest(history=history, n=8, diversity=diversity, exploration=0)
        found = recommender.ranker.recommend(request)
        return len({int(line.content[1:]) % 4 for line in found})

    assert categories(0.0) < categories(0.9)


def test_a_new_content_is_suggested_to_those_its_words_fit(recommender: Recommender) -> None:
    fitted = Recommender.fit(contents(), interactions(), settings=SETTINGS)
    fitted.add_contents([Content("brand-new", text="sea words1 more1", category="sea")])
    for item in ("c0", "c4", "c8", "c12"):
        fitted.add(Interaction("sailor", item, liked=True, at=1.0))
        fitted.add(Interaction("cook", f"c{int(item[1:]) + 3}", liked=True, at=1.0))
    assert "brand-new" in {line.content for line in fitted.recommend("sailor", 10)}
    scores = {}
    for person in ("sailor", "cook"):
        history = weigh(fitted._histories[person], fitted.ranker.catalogue.column)
        columns, values = fitted.ranker.fresh.scores(history)
        scores[person] = dict(zip(columns.tolist(), values.tolist(), strict=True))[SIZE]
    assert scores["sailor"] > scores["cook"]
    similar = fitted.similar("brand-new", 3)
    assert similar
    assert all(line.reason.content == "brand-new" for line in similar)


def test_somebody_unknown_gets_the_popular(recommender: Recommender) -> None:
    found = recommender.recommend("nobody at all", 5, exploration=0)
    popular = recommender.ranker.model.popularity
    available = [i for i, content in enumerate(contents()) if content.available]
    best = sorted(available, key=lambda i: (-popular[i], i))[:5]
    assert [line.content for line in found] == [f"c{i}" for i in best]
    assert {line.reason.kind for line in found} == {"popular"}


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"n": 0}, InvalidInput, "n"),
        ({"n": 501}, TooLarge, "n"),
        ({"diversity": 1.5}, InvalidInput, "diversity"),
        ({"exploration": float("nan")}, InvalidInput, "exploration"),
        ({"filters": Filters(exclude=("x",) * 10_001)}, TooLarge, "exclude"),
        ({"seen": ("x",) * 20_001}, TooLarge, "seen"),
    ],
)
def test_requests_outside_the_limits_name_field(
    recommender: Recommender, changes: dict[str, object], error: type[Exception], field: str
) -> None:
    with pytest.raises(error) as caught:
        recommender.ranker.recommend(RecommendationRequest(**changes))  # type: ignore[arg-type]
    assert caught.value.field == field  # type: ignore[attr-defined]
