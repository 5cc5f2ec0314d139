"""New contents take turns: the same list all day, another the next, never one that is filtered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import InvalidInput
from discern.recommendations import Content, Filters, RecommendationRequest, Recommender
from discern.recommendations.contract import Interaction
from discern.recommendations.exploration import SMALLEST_POOL, Turn
from discern.recommendations.history import weigh
from discern.recommendations.wire import request_from_dict, request_to_dict
from tests.core.readers import CATEGORIES, SETTINGS, contents, interactions

NEW = 60
HISTORY = tuple(Interaction("x", f"c{i}", liked=True, at=86_400.0 * i) for i in range(3))


@pytest.fixture(scope="module")
def recommender() -> Recommender:
    made = Recommender.fit(contents(), interactions(), settings=SETTINGS)
    made.add_contents(
        Content(
            f"new{i}",
            text=f"{CATEGORIES[i % 4]} words{i % 7} more{i % 5}",
            category=CATEGORIES[i % 4],
            tags=(f"t{i % 3}",),
            available=i % 9 != 8,
        )
        for i in range(NEW)
    )
    return made


def _new(recommender: Recommender, request: RecommendationRequest) -> list[str]:
    found = recommender.ranker.recommend(request)
    return [line.content for line in found if line.reason.kind == "new"]


requests = st.builds(
    RecommendationRequest,
    history=st.lists(
        st.builds(
            Interaction,
            person=st.just("x"),
            content=st.integers(0, 45).map(lambda i: f"c{i}")
            | st.integers(0, NEW - 1).map(lambda i: f"new{i}"),
            liked=st.booleans(),
            at=st.floats(0, 1e7),
        ),
        max_size=8,
    ).map(tuple),
    n=st.integers(1, 30),
    filters=st.builds(
        Filters,
        categories=st.lists(st.sampled_from(CATEGORIES), max_size=2).map(tuple),
        tags=st.lists(st.sampled_from(["t0", "t1", "none"]), max_size=2).map(tuple),
        exclude=st.lists(st.integers(0, NEW).map(lambda i: f"new{i}"), max_size=9).map(tuple),
        allow_unavailable=st.booleans(),
    ),
    exploration=st.floats(0, 1),
    person=st.text(max_size=5),
    day=st.none() | st.integers(0, 40_000),
)


@given(requests)
@settings(max_examples=120, deadline=None)
def test_whoever_and_whenever_no_line_comes_twice_and_no_filter_leaks(
    recommender: Recommender, request: RecommendationRequest
) -> None:
    found = recommender.ranker.recommend(request)
    assert found == recommender.ranker.recommend(request)
    names = [line.content for line in found]
    assert len(set(names)) == len(names) <= request.n
    allowed = request.filters
    assert not set(names) & ({event.content for event in request.history} | set(allowed.exclude))
    for name in names:
        content = recommender.ranker.catalogue.content(
            recommender.ranker.catalogue.column(name) or 0
        )
        assert not allowed.categories or content.category in allowed.categories
        assert not allowed.tags or set(content.tags) & set(allowed.tags)
        assert allowed.allow_unavailable or content.available


@given(requests)
@settings(max_examples=40, deadline=None)
def test_exploring_costs_no_place(recommender: Recommender, request: RecommendationRequest) -> None:
    alone = recommender.ranker.recommend(replace(request, exploration=0.0))
    assert len(recommender.ranker.recommend(request)) == len(alone)


def test_another_day_and_another_person_see_other_new_contents(recommender: Recommender) -> None:
    request = RecommendationRequest(HISTORY, n=10)
    by_day = [tuple(_new(recommender, replace(request, day=day))) for day in range(300)]
    assert {len(new) for new in by_day} == {1}
    times = Counter(new for (new,) in by_day)
    assert 15 <= len(times) <= SMALLEST_POOL
    people = {tuple(_new(recommender, replace(request, day=1, person=f"p{i}"))) for i in range(60)}
    assert len(people) > 5
    # The best is the one that a list of all new contents begins with, and has its turn most often.
    columns, scores = recommender.ranker.fresh.scores(
        weigh(HISTORY, recommender.ranker.catalogue.column)
    )
    best = [
        name
        for column in columns[np.lexsort((columns, -scores))].tolist()
        if (content := recommender.ranker.catalogue.content(column)).available
        for name in [content.id]
    ]
    assert times.most_common(1)[0][0] == best[0]


def test_the_day_is_the_newest_events_where_none_is_given(recommender: Recommender) -> None:
    last = int(HISTORY[-1].at // 86_400)
    untold = RecommendationRequest(HISTORY, n=10)
    ranked = recommender.ranker.recommend
    assert (
        ranked(untold) == ranked(replace(untold, day=last)) == ranked(replace(untold, person="x"))
    )
    later = [replace(untold, now=86_400.0 * day) for day in range(3, 40)]
    assert len({tuple(_new(recommender, request)) for request in later}) > 3


@pytest.mark.parametrize(("n", "share"), [(1, 0.1), (5, 0.5), (12, 1.2), (10, 1.0), (25, 2.5)])
def test_a_part_of_a_place_is_a_place_on_that_part_of_the_days(
    recommender: Recommender, n: int, share: float
) -> None:
    request = RecommendationRequest(HISTORY, n=n)
    counts = [len(_new(recommender, replace(request, day=day))) for day in range(400)]
    assert set(counts) <= {int(share), int(share) + (share % 1 > 0)}
    assert np.mean(counts) == pytest.approx(share, abs=0.08)


@given(st.integers(0, 30), st.integers(0, 30), st.binary(max_size=8))
def test_a_turn_chooses_as_many_as_there_are_each_once(count: int, among: int, key: bytes) -> None:
    chosen = Turn(key).choose(count, among).tolist()
    assert len(chosen) == min(count, among)
    assert chosen == sorted(set(chosen))
    assert all(0 <= rank < among for rank in chosen)


def test_person_and_day_cross_the_wire() -> None:
    request = RecommendationRequest(HISTORY, person="anna", day=20_000)
    assert request_from_dict(request_to_dict(request)) == request
    for bad in ({"person": 3}, {"day": "today"}, {"day": 1.5}, {"day": True}):
        with pytest.raises(InvalidInput):
            request_from_dict(bad)
