"""Erasing a person: what is left does not say who it was, is enough for all servers, and goes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from hypothesis import given, settings
from hypothesis import strategies as st

from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Interaction
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import MARK_SECONDS, EventLog
from discern.recommendations.live import LiveModel, LiveRows
from discern.recommendations.matrices import Ratings, from_interactions
from discern.recommendations.settings import Settings
from tests.core.test_recommend_live import NoRows

CONTENTS = [f"c{i}" for i in range(6)]
PEOPLE = ("ann", "bob", "cy")
SETTINGS = Settings(content_weight=0.0)
DAY = 86_400.0


def _like(person: str, content: str, at: float = 5.0) -> Interaction:
    return Interaction(person, content, liked=True, at=at)


def _ratings(log: EventLog) -> Ratings:
    told = [event.interaction for event in log.read() if event.interaction is not None]
    return from_interactions(told, CONTENTS)


def _live(log: EventLog) -> LiveModel:
    ratings = _ratings(log)
    rows = LiveRows(NoRows(), len(CONTENTS))
    counters = Counters.of(ratings, SETTINGS)
    return LiveModel(log, rows, counters, Catalogue(CONTENTS), after=log.last_number())


actions = st.lists(
    st.one_of(
        st.tuples(st.just("like"), st.sampled_from(PEOPLE), st.sampled_from(CONTENTS)),
        st.tuples(st.just("withdraw"), st.sampled_from(PEOPLE), st.sampled_from(CONTENTS)),
        st.tuples(st.just("drop"), st.just(""), st.sampled_from(CONTENTS)),
        st.tuples(st.just("erase"), st.sampled_from(PEOPLE), st.just("")),
        st.tuples(st.just("read"), st.just(""), st.just("")),
    ),
    max_size=25,
)


@given(before=actions, after=actions)
@settings(max_examples=150, deadline=None)
def test_a_server_forgets_whoever_was_erased_and_nobody_else_whenever_it_reads(
    before: list[tuple[str, str, str]], after: list[tuple[str, str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = EventLog(Path(folder) / "events.sqlite")
        log.append(_like("steady", content) for content in CONTENTS)
        live: LiveModel | None = None
        for number, (action, person, content) in enumerate([*before, ("begin", "", ""), *after]):
            if action == "begin":
                live = _live(log)
            elif action == "like":
                log.append([_like(person, content, at=float(number))])
            elif action == "withdraw":
                log.withdraw(person, content)
            elif action == "erase":
                log.erase(person)
            elif action == "drop":
                log.drop_content(content)
            elif live is not None:
                live.catch_up()
        assert live is not None
        live.catch_up()
        right = Counters.of(_ratings(log), SETTINGS)
        assert {p: live.counters.of_person(p) for p in live.counters.people()} == {
            p: right.of_person(p) for p in right.people()
        }
        log.close()


def test_a_mark_holds_neither_the_id_nor_a_digest_of_it(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("ann", "c1"), _like("ann", "c2"), _like("bob", "c1")])
    log.erase("ann")
    log.close()
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as connection:
        (row,) = connection.execute("SELECT * FROM events WHERE kind = 'erased'")
    assert "" in row
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for name in ("sha1", "sha256", "sha512", "blake2b", "md5"):
        digest = hashlib.new(name, b"ann")
        assert digest.hexdigest().encode() not in written
        assert digest.digest() not in written
    assert b"ann" not in written
    assert b"bob" in written


def test_no_file_holds_an_erased_id_while_servers_have_the_log_open(tmp_path: Path) -> None:
    log, server = (EventLog(tmp_path / "events.sqlite") for _ in range(2))
    log.append([_like("ann", "c1"), _like("bob", "c1")])
    server.read()
    log.erase("ann")
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ann" not in written
    assert b"bob" in written


def test_what_an_erasure_left_in_the_journal_for_a_reader_goes_with_the_next_fit(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("ann", "c1"), _like("bob", "c1")])
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM events").fetchall()
        assert log.erase("ann") == 1
    log.drop_marks(log.last_number())
    assert b"ann" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_erasing_somebody_who_did_nothing_gives_servers_nothing_to_do(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("bob", "c1")])
    assert log.erase("ann") == 0
    assert log.erase("ann") == 0
    assert log.last_number() == 1


def test_a_mark_of_an_older_version_loses_its_digest_and_still_makes_servers_forget(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.sqlite"
    log = EventLog(path)
    log.append([_like("ann", "c1"), _like("bob", "c2")])
    live = _live(log)
    digest = hashlib.sha256(b"ann").hexdigest()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE person = 'ann'")
        connection.execute(
            "INSERT INTO events (kind, person, content, liked, disliked, view_time, at)"
            " VALUES ('erased', ?, '', 0, 0, 0, 0)",
            (digest,),
        )
        connection.execute("PRAGMA user_version = 0")
    log.close()
    again = EventLog(path)
    live.catch_up()
    assert list(live.counters.people()) == ["bob"]
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT person, at FROM events WHERE kind = 'erased'")
    assert found[0] == ""
    assert found[1] == pytest.approx(time.time(), abs=60)
    again.close()


def test_a_mark_goes_with_a_fit_that_learned_after_it_once_its_time_is_over(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("ann", "c1"), _like("bob", "c1"), _like("cy", "c2")])
    log.erase("ann")
    first = log.last_number()
    log.erase("bob")
    later = time.time() + MARK_SECONDS + DAY
    assert log.drop_marks(first) == 0  # a server may be about to read it
    assert log.drop_marks(first - 1, now=later) == 0  # the model learned with ann
    assert log.drop_marks(first, now=later) == 1
    (mark,) = [event for event in log.read() if event.erased]
    assert (mark.number, mark.met) == (first + 1, ("c1",))
    assert [event.interaction.person for event in log.read() if event.interaction] == ["cy"]
    log.append([_like("new", "c1")])
    assert log.drop_marks(log.last_number(), now=later) == 1
    assert log.last_number() > first + 1  # numbers are not given twice


def test_the_contents_of_a_mark_are_those_of_everything_that_was_in_the_log(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("ann", "c1"), _like("ann", "c2")])
    log.withdraw("ann", "c2")
    log.erase("ann")
    with closing(sqlite3.connect(tmp_path / "events.sqlite")) as connection:
        rows = connection.execute("SELECT kind, person, content FROM events").fetchall()
    assert rows == [("erased", "", json.dumps(["c1", "c2"]))]


def test_the_mark_of_a_deleted_content_names_nobody_and_goes_as_that_of_an_erasure(
    tmp_path: Path,
) -> None:
    log = EventLog(tmp_path / "events.sqlite")
    log.append([_like("ann", "c1"), _like("bob", "c2")])
    log.withdraw("ann", "c1")
    log.append([_like("ann", "c1", at=9.0)])
    assert log.drop_content("c1") == 2
    assert log.drop_content("c1") == 0
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"ann" not in written
    assert b"bob" in written
    (mark,) = [event for event in log.read() if event.dropped]
    later = time.time() + MARK_SECONDS + DAY
    assert log.drop_marks(mark.number - 1, now=later) == 0
    assert log.drop_marks(mark.number, now=later) == 1
