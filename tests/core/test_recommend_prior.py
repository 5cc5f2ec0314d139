"""How the popularity prior fades with a history: by its share, and in the lists."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from discern.recommendations import Content, Interaction, RecommendationRequest, Recommender
from discern.recommendations.model import prior_share
from discern.recommendations.settings import Settings


def test_the_prior_is_whole_without_a_history_and_near_nothing_after_ten() -> None:
    shares = prior_share(np.array([0, 1, 5, 10]))
    assert shares[0] == 1.0
    assert 0.6 < shares[1] < 0.9
    assert 0.2 < shares[2] < 0.4
    assert shares[3] < 0.1
    assert (np.diff(prior_share(np.arange(60))) < 0).all()


def test_lists_lean_on_popularity_without_a_history_and_no_more_after_ten() -> None:
    """Half the contents belong to a small circle whose likes are all alike; the others are what
    the crowd likes."""
    crowd, circle = [f"crowd{i}" for i in range(30)], [f"circle{i}" for i in range(30)]
    events = [
        Interaction(f"p{person}", name, liked=True, at=float(place))
        for person in range(120)
        for place, name in enumerate(np.random.default_rng(person).permutation(crowd)[:8])
    ] + [
        Interaction(f"q{person}", name, liked=True, at=float(place))
        for person in range(15)
        for place, name in enumerate(np.random.default_rng(person).permutation(circle)[:15])
    ]
    made = Recommender.fit(
        [Content(name) for name in crowd + circle],
        events,
        settings=Settings(neighbours=25, ridge=1.0, content_weight=0.0, prior=1.0),
    )

    def popular(length: int) -> int:
        history = tuple(Interaction("x", name, liked=True) for name in circle[:length])
        request = RecommendationRequest(history, n=10, exploration=0.0)
        return sum(line.content in crowd for line in made.ranker.recommend(request))

    counts = [popular(length) for length in (0, 1, 5, 10)]
    assert counts[0] == 10
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 0
