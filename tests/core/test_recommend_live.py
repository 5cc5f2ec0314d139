"""Models that follow one log come to the same weights, whenever each began and solved what."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.recommendations import Content, Interaction
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import EventLog
from discern.recommendations.following import Following
from discern.recommendations.fresh import FreshContents
from discern.recommendations.library import Library
from discern.recommendations.live import REFRESHED_AT_ONCE, LiveModel, LiveRows
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import Fitted, fit
from discern.recommendations.rows import Row
from tests.core.readers import (
    SETTINGS,
    SIZE,
    contents,
    fitted_to,
    interactions,
    live_model,
    ratings_of,
    settle,
    weights_of,
)


class NoRows:
    """A model that has learned nothing."""

    def row(self, column: int) -> Row:
        empty = np.empty(0, dtype=np.float32)
        return empty.astype(np.int32), empty, empty


@pytest.mark.parametrize("seed", range(5))
def test_a_model_that_solved_early_and_one_that_began_late_agree(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = EventLog(tmp_path / "events.sqlite")
    ratings, model, learned = fitted_to(log)
    early = live_model(log, ratings, model, learned)
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
    late = live_model(EventLog(tmp_path / "events.sqlite"), ratings, model, learned)
    settle(early)
    settle(late)
    assert early.position == late.position == log.last_number()
    assert np.array_equal(weights_of(early), weights_of(late))


def test_a_settled_model_has_nothing_to_do_and_one_event_makes_it_look_again(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    live = live_model(log, *fitted_to(log))
    log.append(Interaction("new", f"c{i}", liked=True, at=9e5) for i in range(30))
    settle(live)
    assert live.resolve() == 0
    log.append([Interaction("other", "c0", liked=True, at=9e5)])
    live.catch_up()
    assert not live.settled
    assert live.resolve(seconds=10.0) <= 1 + REFRESHED_AT_ONCE
    settle(live)
    assert live.resolve() == 0


def test_a_like_taken_back_leaves_the_weights_as_if_it_had_never_been(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    ratings, model, learned = fitted_to(log)
    met = [Interaction("new", f"c{i}", liked=True, at=9e5) for i in range(6)]
    log.append(met)
    log.append([Interaction("new", "c3", view_time=20.0, at=9e5)])
    before = live_model(log, ratings, model, learned)
    settle(before)
    log.append([Interaction("new", "c9", liked=True, at=9e5)])
    before.catch_up()
    assert log.withdraw("new", "c9") == 1
    assert log.withdraw("new", "c9") == 0
    assert log.withdraw("new", "c3") == 1
    log.append([Interaction("new", "c12", liked=True, view_time=20.0, at=9e5)])
    before.catch_up()
    assert log.withdraw("new", "c12") == 1
    assert log.withdraw("new", "c12") == 0
    other = EventLog(tmp_path / "other.sqlite")
    other.append(interactions())
    other.append(met[:3] + met[4:])
    other.append([Interaction("new", name, view_time=20.0, at=9e5) for name in ("c3", "c12")])
    never = live_model(other, ratings, model, learned)
    settle(never)
    settle(before)
    assert before.position == log.last_number()
    touched = [f"c{i}" for i in range(6)]
    columns = [ratings.contents.index(name) for name in touched]
    np.testing.assert_allclose(
        weights_of(before)[:, columns], weights_of(never)[:, columns], rtol=2e-3, atol=2e-3
    )


def _following(library: Library, fitted: Fitted) -> tuple[Ranker, Following]:
    ranker = Ranker(
        fitted.model,
        Catalogue(fitted.model.contents),
        fresh=FreshContents(fitted.model, fitted.words),
    )
    return ranker, Following(ranker, fitted, library)


def _weights(ranker: Ranker) -> np.ndarray:
    weights = np.zeros((SIZE, SIZE, 2))
    for column in range(SIZE):
        targets, long, short = ranker.rows.row(column)
        weights[column, targets] = np.stack([long, short], axis=1)
    return weights


@pytest.mark.parametrize("content_weight", [0.0, 0.5])
def test_a_server_started_after_an_erasure_has_the_weights_of_one_that_ran_through_it(
    tmp_path: Path, content_weight: float
) -> None:
    library = Library(tmp_path)
    library.put_contents(contents())
    library.put_interactions(interactions())
    met = [1, 2, 3, 5, 7, 11]
    library.put_interactions(Interaction("ghost", f"c{i}", liked=True, at=5e5) for i in met)
    fitted = fit(
        library.contents(),
        library.interactions(),
        settings=replace(SETTINGS, content_weight=content_weight),
        last_event=library.events.last_number(),
    )
    through, early = _following(library, fitted)
    early.step()
    library.put_interactions([Interaction("ghost", "c13", liked=True, at=6e5)])
    library.put_interactions([Interaction("p1", "c5", liked=True, at=7e5)])
    early.step()
    haunted = _weights(through)
    assert library.events.withdraw("ghost", "c7") == 1
    assert library.events.erase("ghost") == 7
    started, late = _following(library, fitted)
    for _ in range(40):
        early.step()
        late.step()
    assert np.array_equal(_weights(through), _weights(started))
    changed = {int(column) for column in np.nonzero((_weights(started) != haunted).any((0, 2)))[0]}
    assert {*met, 13} <= changed
    assert b"ghost" not in b"".join(repr(event).encode() for event in library.events.read())


one_event = st.builds(
    Interaction,
    person=st.sampled_from(["p0", "p1", "late"]),
    content=st.sampled_from(["c0", "c1", "c2"]),
    liked=st.booleans(),
    view_time=st.sampled_from([0.0, 5.0, 20.0, 70.0]),
    at=st.sampled_from([4000.0, 5000.0, 6000.0]),
) | st.builds(
    Interaction,
    person=st.sampled_from(["p0", "late"]),
    content=st.sampled_from(["c0", "c1"]),
    disliked=st.just(True),
    at=st.sampled_from([4000.0, 5000.0, 6000.0]),
)


@given(
    before=st.lists(one_event, max_size=6),
    after=st.lists(st.lists(one_event, max_size=4), max_size=4),
    withdrawn=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["c0", "c1"])), max_size=2),
)
@settings(max_examples=60, deadline=None)
def test_live_counts_are_those_of_a_fit_whatever_the_order_of_the_events(
    before: list[Interaction],
    after: list[list[Interaction]],
    withdrawn: list[tuple[int, str]],
) -> None:
    base = [*interactions()[:60], *before]
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Path(folder))
        log = library.events
        log.append(base)
        # A fit reads the log, which takes the same event once.
        ratings = ratings_of(list(library.interactions()))
        live = LiveModel(
            log,
            LiveRows(NoRows(), SIZE),
            Counters.of(ratings, SETTINGS),
            Catalogue(ratings.contents),
            after=log.last_number(),
        )
        for place, part in enumerate(after):
            log.append(part)
            for turn, content in withdrawn:
                if turn == place:
                    log.withdraw("late", content)
            if place % 2:
                live.catch_up()
        live.catch_up()
        again = Counters.of(ratings_of(list(library.interactions())), SETTINGS)
        log.close()
    for person in {"p0", "p1", "late"}:
        assert live.counters.of_person(person) == again.of_person(person)


@pytest.mark.parametrize(
    ("events", "strength"),
    [
        ([{"disliked": True, "at": 5.0}, {"view_time": 20.0, "at": 6.0}], None),
        ([{"liked": True, "at": 5000.0}, {"disliked": True, "at": 4000.0}], 1.0),
    ],
)
def test_a_verdict_outweighs_a_later_view_and_an_older_verdict(
    tmp_path: Path, events: list[dict[str, Any]], strength: float | None
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    ratings = ratings_of(interactions())
    rows = LiveRows(NoRows(), SIZE)
    live = LiveModel(log, rows, Counters.of(ratings, SETTINGS), Catalogue(ratings.contents))
    for event in events:
        log.append([Interaction("somebody", "c1", **event)])
        live.catch_up()
    assert live.counters.of_person("somebody").get(1) == strength


def test_contents_put_by_many_at_once_are_all_kept(tmp_path: Path) -> None:
    def put(number: int) -> None:
        for part in range(5):
            Library(tmp_path).put_contents([Content(f"{number}-{part}", title="a text")])

    with ThreadPoolExecutor(4) as several:
        list(several.map(put, range(4)))
    assert len(Library(tmp_path).contents()) == 20


def test_servers_agree_after_a_content_was_deleted_whenever_they_began(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    ratings, model, learned = fitted_to(log)
    early = live_model(log, ratings, model, learned)
    log.append(Interaction("new", f"c{i}", liked=True, at=9e5) for i in range(6))
    settle(early)
    log.drop_content("c3")
    log.append([Interaction("other", f"c{i}", liked=True, at=9e5) for i in (3, 4)])
    told = [event.interaction for event in log.read() if event.number <= learned]
    left = ratings_of([event for event in told if event is not None])
    late = live_model(log, left, model, learned)
    settle(early)
    settle(late)
    counted = {person: early.counters.of_person(person) for person in early.counters.people()}
    assert counted == {person: late.counters.of_person(person) for person in late.counters.people()}
    assert 3 in counted["other"]
    assert 3 not in counted["new"]
    assert np.array_equal(early.rows.row(3)[0], late.rows.row(3)[0])
