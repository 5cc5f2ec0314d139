"""The embedded worker: quick to see work, patient with the engine, orderly when it stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from discern.errors import EngineUnreachable
from discern.web.jobs import services
from discern.web.jobs.models import State
from discern.web.jobs.work import Work
from discern.web.jobs.worker import Worker
from tests.web.chores.kind import KIND, Chosen
from tests.web.chores.models import Chore

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def working(threads: int = 2, *, ready: Callable[[], bool] = lambda: True) -> Iterator[Worker]:
    worker = Worker(threads=threads, engine_ready=ready, among=[KIND])

    def run() -> None:
        try:
            worker.run()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(20)
        assert not thread.is_alive()


def add(**columns: Any) -> Chore:
    chore = Chore(**columns)
    services.enqueue(chore)
    return chore


def wait_until(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    limit = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


def all_done() -> bool:
    return not Chore.objects.exclude(state=State.DONE).exists()


def test_it_works_through_what_is_there_and_what_comes() -> None:
    for _ in range(5):
        add()
    with working():
        wait_until(all_done)
        add()
        wait_until(all_done)
    assert Chore.objects.count() == 6


def test_told_to_stop_it_returns_what_it_cannot_finish() -> None:
    begun = threading.Event()

    def long(work: Work[Chore]) -> None:
        begun.set()
        while True:
            work.check()
            time.sleep(0.02)

    Chosen.doing = staticmethod(long)
    chore = add()
    with working():
        assert begun.wait(10)
    chore.refresh_from_db()
    assert (chore.state, chore.lease_token, chore.attempts) == (State.QUEUED, "", 0)


def test_while_the_engine_is_away_rows_wait_unspent_and_then_are_done() -> None:
    away = threading.Event()
    away.set()
    tried: list[Any] = []

    def needs_the_engine(work: Work[Chore]) -> dict[str, str]:
        tried.append(work.job.pk)
        if away.is_set():
            raise EngineUnreachable("connection refused", retry_after_s=0.01)
        return {"result": "read"}

    Chosen.doing = staticmethod(needs_the_engine)
    chores = [add() for _ in range(10)]
    with working(ready=lambda: not away.is_set()):
        wait_until(lambda: bool(tried))
        time.sleep(1.0)
        assert len(tried) <= 2 * len(chores)  # it asks the engine now, and leaves the rows alone
        away.clear()
        wait_until(all_done)
    assert {chore.result for chore in Chore.objects.all()} == {"read"}


def test_a_row_on_its_last_try_runs_alone() -> None:
    together: list[int] = []
    running: set[Any] = set()
    lock = threading.Lock()

    def note_company(work: Work[Chore]) -> None:
        with lock:
            running.add(work.job.pk)
            if work.job.pk == suspect.pk:
                together.append(len(running))
        time.sleep(0.1)
        with lock:
            running.discard(work.job.pk)

    Chosen.doing = staticmethod(note_company)
    for _ in range(3):
        add()
    suspect = add(attempts=2)
    for _ in range(3):
        add()
    with working(3):
        wait_until(all_done)
    assert together == [1]


def test_a_long_neighbor_makes_room_for_a_row_on_its_last_try_and_is_resumed() -> None:
    begun = threading.Event()
    suspect_done = threading.Event()

    def act(work: Work[Chore]) -> None:
        if work.job.pk == suspect.pk:
            suspect_done.set()
            return
        begun.set()
        while not suspect_done.is_set():
            work.check()
            time.sleep(0.02)

    Chosen.doing = staticmethod(act)
    suspect = Chore(attempts=2)
    add()
    with working(2):
        assert begun.wait(10)
        services.enqueue(suspect)
        wait_until(all_done)
