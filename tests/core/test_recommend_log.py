"""One log and those who follow it: what it takes, and the weights that come of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

import scipy.sparse as sp

from discern.errors import TooLarge
from discern.recommendations import Interaction
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import EventLog
from discern.recommendations.fit import fit_model
from discern.recommendations.model import Scorer
from tests.core.readers import (
    SETTINGS,
    SIZE,
    fitted_to,
    interactions,
    live_model,
    ratings_of,
    settle,
    weights_of,
)


def test_a_column_solved_again_is_what_a_new_fit_gives() -> None:
    ratings = ratings_of(interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    counters = Counters.of(ratings, SETTINGS)
    weights = model.matrix().toarray()
    for column in range(0, SIZE, 7):
        neighbours, long, _ = counters.solve(column)
        solved = np.zeros(SIZE)
        solved[neighbours] = long
        assert np.allclose(solved, weights[:, column], atol=2e-3)


def test_processes_that_read_one_log_come_to_the_same_weights(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    ratings, model, learned = fitted_to(log)
    early = live_model(log, ratings, model, learned)
    log.append([Interaction(f"n{i}", f"c{i % 5}", liked=True, at=9e5 + i) for i in range(30)])
    early.catch_up()
    early.resolve(columns=2)
    log.append([Interaction(f"n{i}", f"c{i % 7}", liked=True, at=9.1e5 + i) for i in range(30)])
    late = live_model(EventLog(tmp_path / "events.sqlite"), ratings, model, learned)
    settle(early)
    settle(late)
    assert early.position == late.position == log.last_number()
    assert np.array_equal(weights_of(early), weights_of(late))
    assert not np.allclose(weights_of(early), model.matrix().toarray(), atol=1e-3)


def test_erasing_a_person_takes_their_part_out_everywhere(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    ratings, model, learned = fitted_to(log)
    live = live_model(log, ratings, model, learned)
    log.append([Interaction("ghost", f"c{i}", liked=True, at=5e5 + i) for i in (1, 2, 3, 7)])
    settle(live)
    haunted = weights_of(live)
    assert log.erase("ghost") == 4
    settle(live)
    assert log.of_person("ghost") == []
    assert b"ghost" not in b"".join(path.read_bytes() for path in tmp_path.iterdir()) or _vacuumed(
        tmp_path / "events.sqlite"
    )
    clean = Counters.of(ratings, SETTINGS)
    for column in (1, 2, 3, 7):
        neighbours, long, _ = clean.solve(column)
        solved = np.zeros(SIZE)
        solved[neighbours] = long
        assert np.allclose(weights_of(live)[:, column], solved, atol=1e-3)
    assert not np.allclose(haunted, weights_of(live), atol=1e-4)


def _vacuumed(path: Path) -> bool:
    """The write-ahead log keeps old pages until a checkpoint; after one nothing may be left."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"ghost" not in path.read_bytes()


def test_the_log_takes_the_same_event_once_and_counts_the_rest(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    event = Interaction("a", "x", liked=True, at=1000.0)
    first = log.append([event, event])
    again = log.append([event])
    assert (first.accepted, first.duplicates, first.late) == (1, 1, 1)
    assert (again.accepted, again.duplicates, again.last_number) == (0, 1, 1)
    with pytest.raises(TooLarge):
        log.append([event] * 10_001)


def test_short_histories_lean_on_their_own_weights_and_the_prior_fades() -> None:
    ratings = ratings_of(interactions())
    model = fit_model(ratings.matrix, ratings.contents, settings=SETTINGS)
    scorer = Scorer(model)
    nobody = sp.csr_matrix(np.zeros((1, SIZE), dtype=np.float32))
    assert np.allclose(scorer(nobody)[0], model.prior, atol=1e-6)
