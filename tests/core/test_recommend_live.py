"""Models that follow one log come to the same weights, whenever each began and solved what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from discern.recommendations import Interaction
from discern.recommendations.event_log import EventLog
from discern.recommendations.fit import fit_model
from discern.recommendations.live import REFRESHED_AT_ONCE, LiveModel
from tests.core.test_recommendations import (
    SETTINGS,
    SIZE,
    _dense,
    _interactions,
    _live,
    _ratings,
)


def settle(live: LiveModel) -> None:
    live.catch_up()
    while not live.settled:
        assert live.resolve(columns=1_000, seconds=10.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_solved_early_and_one_that_began_late_agree(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = EventLog(tmp_path / "events.sqlite")
    log.append(_interactions())
    learned = log.last_number()
    ratings = _ratings(_interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    early = _live(log, ratings, model, learned)
    for part in range(6):
        # Each part is about other contents, which are neighbors of those before.
        around = rng.integers(SIZE)
        log.append(
            Interaction(
                f"p{rng.integers(80)}", f"c{(around + k) % SIZE}", liked=True, at=9e5 + part
            )
            for k in range(int(rng.integers(1, 5)))
        )
        early.catch_up()
        early.resolve(columns=int(rng.integers(0, 4)))
    late = _live(EventLog(tmp_path / "events.sqlite"), ratings, model, learned)
    settle(early)
    settle(late)
    assert early.position == late.position == log.last_number()
    assert np.array_equal(_dense(early), _dense(late))


def test_a_settled_model_has_nothing_to_do_and_one_event_makes_it_look_again(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append(_interactions())
    ratings = _ratings(_interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    live = _live(log, ratings, model, log.last_number())
    log.append(Interaction("new", f"c{i}", liked=True, at=9e5) for i in range(30))
    settle(live)
    assert live.resolve() == 0
    log.append([Interaction("other", "c0", liked=True, at=9e5)])
    live.catch_up()
    assert not live.settled
    assert live.resolve(seconds=10.0) <= 1 + REFRESHED_AT_ONCE
    settle(live)
    assert live.resolve() == 0
