"""The reasons of lists: what a person did is named wherever it is what moved a content up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given, settings
from hypothesis import strategies as st

import discern
from discern.recommendations import Content, Filters, Interaction, RecommendationRequest
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Recommendation
from discern.recommendations.model import Model
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import Recommender
from discern.recommendations.settings import Settings

DEMO = Path(discern.__file__).parent / "web" / "recommendations"
SIZE = 60


def _demo(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DEMO / name).read_text().splitlines() if line.strip()]


@pytest.fixture(scope="module")
def demo() -> Recommender:
    contents = [
        Content(row["id"], row["title"], row["text"], row["category"], tuple(row["tags"]))
        for row in _demo("demo_library.jsonl")
    ]
    events = [
        Interaction(
            row["person"],
            row["content"],
            liked=bool(row.get("liked")),
            disliked=bool(row.get("disliked")),
            view_time=float(row.get("view_time", 0.0)),
            at=60.0 * number,
        )
        for number, row in enumerate(_demo("demo_readers.jsonl"))
    ]
    return Recommender.fit(contents, events, settings=Settings(ridge=20.0, short_dropout=0.98))


def _moved_up(before: list[Recommendation], after: list[Recommendation]) -> list[Recommendation]:
    places = {line.content: place for place, line in enumerate(before)}
    return [
        line for place, line in enumerate(after) if place < places.get(line.content, len(after))
    ]


@pytest.mark.parametrize("n", [10, 50])
def test_in_the_demo_any_one_like_changes_the_next_list_and_is_why_contents_moved_up(
    demo: Recommender, n: int
) -> None:
    for content in demo.ranker.catalogue.contents():
        alone = RecommendationRequest(seen=(content.id,), n=n)
        like = Interaction("newcomer", content.id, liked=True)
        before = demo.ranker.recommend(alone)
        after = demo.ranker.recommend(RecommendationRequest(history=(like,), n=n))
        moved = _moved_up(before, after)
        assert moved
        assert {line.reason.kind for line in before} == {"popular"}
        assert {(line.reason.kind, line.reason.content) for line in moved} == {
            ("because", content.id)
        }


def _ranker(seed: int, *, least: float) -> Ranker:
    """A model of random weights of ``least`` to 1, a third of them none."""
    rng = np.random.default_rng(seed)
    indptr, indices, weights = [0], [], []
    for row in range(SIZE):
        others = np.flatnonzero((rng.random(SIZE) < 2 / 3) & (np.arange(SIZE) != row))
        indices.append(others)
        weights.append(rng.uniform(least, 1.0, len(others)))
        indptr.append(indptr[-1] + len(others))
    popularity = np.sort(rng.integers(1, 50, SIZE))[::-1].astype(np.float32)
    model = Model(
        contents=tuple(f"c{i}" for i in range(SIZE)),
        indptr=np.array(indptr, dtype=np.int64),
        indices=np.concatenate(indices).astype(np.int32),
        long=np.concatenate(weights).astype(np.float16),
        short=np.concatenate(weights).astype(np.float16),
        popularity=popularity,
        prior=popularity / 20,
        settings=Settings(),
    )
    labels = [Content(f"c{i}", category=f"k{i % 3}", available=i % 7 != 6) for i in range(SIZE)]
    return Ranker(model, Catalogue(model.contents, labels))


events = st.builds(
    Interaction,
    person=st.just("x"),
    content=st.integers(0, SIZE - 1).map(lambda i: f"c{i}"),
    liked=st.just(True),
    at=st.floats(0, 1e7),
)
dislikes = events.map(
    lambda event: Interaction(event.person, event.content, disliked=True, at=event.at)
)
allowed = st.builds(Filters, categories=st.sampled_from([(), ("k1",), ("k0", "k2")]))


@given(
    seed=st.integers(0, 40),
    history=st.lists(events, min_size=1, max_size=4, unique_by=lambda event: event.content),
    n=st.integers(1, 12),
    filters=allowed,
)
@settings(max_examples=200, deadline=None)
def test_what_would_not_be_listed_without_the_likes_is_never_told_as_popular(
    seed: int, history: list[Interaction], n: int, filters: Filters
) -> None:
    ranker = _ranker(seed, least=0.01)
    liked = {event.content for event in history}
    alone = RecommendationRequest(seen=tuple(liked), n=n, filters=filters)
    without = {line.content for line in ranker.recommend(alone)}
    for line in ranker.recommend(
        RecommendationRequest(history=tuple(history), n=n, filters=filters)
    ):
        if line.reason.kind == "because":
            assert line.reason.content in liked
        else:
            assert line.content in without


@given(
    seed=st.integers(0, 40),
    likes=st.lists(events, min_size=1, max_size=3, unique_by=lambda event: event.content),
    hated=st.lists(dislikes, min_size=1, max_size=4, unique_by=lambda event: event.content),
    n=st.integers(1, 12),
)
@settings(max_examples=200, deadline=None)
def test_a_dislike_that_weighs_more_does_not_hide_the_like_that_speaks_for_a_content(
    seed: int, likes: list[Interaction], hated: list[Interaction], n: int
) -> None:
    ranker = _ranker(seed, least=-1.0)
    liked = {event.content for event in likes}
    history = (*likes, *(event for event in hated if event.content not in liked))
    alone = RecommendationRequest(seen=tuple(event.content for event in history), n=n)
    without = {line.content for line in ranker.recommend(alone)}
    for line in ranker.recommend(RecommendationRequest(history=history, n=n)):
        spoken = [_weight(ranker, name, line.content) for name in liked]
        if line.reason.kind == "because":
            assert line.reason.content in liked
            assert _weight(ranker, line.reason.content, line.content) > 0
        else:
            assert line.content in without or max(spoken) <= 0


def _weight(ranker: Ranker, source: str, target: str) -> float:
    columns = [ranker.catalogue.column(name) for name in (source, target)]
    assert columns[0] is not None
    targets, long, _ = ranker.rows.row(columns[0])
    return float(long[targets == columns[1]].sum())
