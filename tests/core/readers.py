"""Contents, and the people who mostly like one kind of them: something small to learn from."""

from __future__ import annotations

import numpy as np

from discern.recommendations import Content, Interaction
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import EventLog
from discern.recommendations.fit import fit_model
from discern.recommendations.live import LiveModel, LiveRows
from discern.recommendations.matrices import Ratings, from_interactions
from discern.recommendations.model import Model
from discern.recommendations.rank import ModelRows, Ranker
from discern.recommendations.settings import Settings

SIZE = 40
PEOPLE = 80
CATEGORIES = ("sea", "sky", "soil", "soup")
SETTINGS = Settings(neighbours=15, ridge=1.0, content_weight=0.0, short_dropout=0.9)


def contents(count: int = SIZE) -> list[Content]:
    return [
        Content(
            id=f"c{i}",
            title=f"Title {i}",
            text=f"{CATEGORIES[i % 4]} words{i % 7} more{i % 5} only{i}",
            category=CATEGORIES[i % 4],
            tags=(f"t{i % 3}",),
            available=i % 11 != 10,
        )
        for i in range(count)
    ]


def interactions(seed: int = 3) -> list[Interaction]:
    """People who mostly like one category, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    events = []
    for person in range(PEOPLE):
        fond = person % 4
        weights = np.where(np.arange(SIZE) % 4 == fond, 20.0, 1.0)
        chosen = rng.choice(
            SIZE, size=int(rng.integers(4, 10)), replace=False, p=weights / weights.sum()
        )
        events += [
            Interaction(f"p{person}", f"c{item}", liked=True, at=1000.0 + person + place)
            for place, item in enumerate(chosen)
        ]
    return events


def ratings_of(events: list[Interaction]) -> Ratings:
    return from_interactions(events, [content.id for content in contents()])


def fitted_to(log: EventLog) -> tuple[Ratings, Model, int]:
    """The ratings and the model of an empty log that is given the interactions, and its last number
    then."""
    log.append(interactions())
    ratings = ratings_of(interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    return ratings, model, log.last_number()


def live_model(log: EventLog, ratings: Ratings, model: Model, after: int) -> LiveModel:
    catalogue = Catalogue(model.contents)
    ranker = Ranker(model, catalogue)
    rows = LiveRows(ModelRows(model, ranker.fresh), model.size)
    counters = Counters.of(ratings, SETTINGS)
    return LiveModel(log, rows, counters, catalogue, after=after)


def weights_of(live: LiveModel) -> np.ndarray:
    dense = np.zeros((SIZE, SIZE))
    for row in range(SIZE):
        targets, long, _ = live.rows.row(row)
        dense[row, targets] = long
    return dense


def settle(live: LiveModel) -> None:
    live.catch_up()
    while not live.settled:
        assert live.resolve(columns=1_000, seconds=10.0)
