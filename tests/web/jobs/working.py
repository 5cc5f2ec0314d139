"""Rows, and what workers do with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

from django.db import connection
from django.utils import timezone

from discern.web.jobs import services
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.services import Claim
from tests.web.chores.kind import KIND
from tests.web.chores.models import Chore


def add(**columns: Any) -> Chore:
    chore = Chore(**columns)
    services.enqueue(chore)
    return chore


def claim(chore: Chore) -> Claim:
    won = services.claim(KIND, chore.pk, owner="a test", tries=chore.attempts)
    assert won is not None
    return won


def work_on(chore: Chore) -> Outcome:
    return run(claim(chore), stopping=Event())


def in_threads(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Runs ``act`` in threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def end_lease(chore: Chore) -> None:
    Chore.objects.filter(pk=chore.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def state(chore: Chore) -> str:
    chore.refresh_from_db()
    return chore.state


class Messages:
    """A carrier that keeps what it was told, unless its broker is ``away``."""

    sends_messages = True

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.away = False

    def notify(self, kind: str, pk: Any, *, priority: int, delay_s: float = 0.0) -> bool:
        if not self.away:
            self.sent.append(pk)
        return not self.away
