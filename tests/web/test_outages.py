"""A database that goes away in the middle costs a row time: no attempt, no result, no lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import (
    DatabaseError,
    DataError,
    InterfaceError,
    OperationalError,
    connection,
    transaction,
)

from discern.web.jobs import services
from discern.web.jobs.models import State
from discern.web.jobs.outages import is_away, wait_out
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.work import Work
from tests.web.chores.kind import KIND, Chosen
from tests.web.chores.models import Chore

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def outage() -> Iterator[None]:
    """Takes the database from this thread: PostgreSQL ends its session, and SQLite's writer is
    another for half a second, for which this one does not wait."""
    if connection.vendor == "postgresql":
        with pytest.raises(OperationalError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout=0")
    taken, free = Event(), Event()

    def hold() -> None:
        with transaction.atomic():
            Chore.objects.filter(state="").update(state="")
            taken.set()
            free.wait(10)
        connection.close()

    writer = threading.Thread(target=hold)
    writer.start()
    assert taken.wait(10)
    timer = threading.Timer(0.5, free.set)
    timer.start()
    try:
        yield
    finally:
        writer.join()
        timer.join()


def claimed() -> services.Claim:
    chore = Chore()
    services.enqueue(chore)
    won = services.claim(KIND, chore.pk, owner="a test")
    assert won is not None
    return won


def test_a_row_whose_handler_finds_the_database_away_is_queued_again_and_no_attempt_is_spent() -> (
    None
):
    def meets_an_outage(work: Work[Chore]) -> None:
        with outage():
            work.report(1)

    Chosen.doing = staticmethod(meets_an_outage)
    claim = claimed()
    assert run(claim, stopping=Event()) is Outcome.RETURNED
    row = Chore.objects.get(pk=claim.pk)
    assert (row.state, row.attempts, row.lease_token) == (State.QUEUED, 0, "")


def test_a_result_is_kept_until_the_database_takes_it() -> None:
    with_outage = outage()

    def then_loses_the_database(work: Work[Chore]) -> dict[str, str]:
        with_outage.__enter__()
        return {"result": "found"}

    Chosen.doing = staticmethod(then_loses_the_database)
    claim = claimed()
    try:
        assert run(claim, stopping=Event()) is Outcome.SETTLED
    finally:
        with_outage.__exit__(None, None, None)
    row = Chore.objects.get(pk=claim.pk)
    assert (row.state, row.result) == (State.DONE, "found")


def test_a_statement_that_the_database_refuses_is_not_an_outage() -> None:
    with pytest.raises(DatabaseError) as caught, connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    assert not is_away(caught.value)
    assert not is_away(DataError("too long"))
    assert is_away(InterfaceError("connection already closed"))


def test_a_database_that_stays_away_is_given_up_in_time() -> None:
    def ask() -> None:
        raise InterfaceError("connection already closed")

    with pytest.raises(InterfaceError):
        wait_out(ask, limit_s=0.3)


def test_a_connection_that_the_driver_calls_closed_is_waited_out_like_any_other() -> None:
    answers = iter([InterfaceError("connection already closed"), None])

    def act() -> str:
        if (error := next(answers)) is not None:
            raise error
        return "stored"

    assert wait_out(act, limit_s=20.0) == "stored"
