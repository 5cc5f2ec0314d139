"""What a handler gets: the row, its progress, and a fence around everything it writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any, Generic, TypeVar

from django.db import transaction

from discern.web.jobs.models import Job
from discern.web.jobs.services import Claim, update_held

JobT = TypeVar("JobT", bound=Job)


class LeaseLost(Exception):
    """Another worker has the row now, or it was deleted: stop, and write nothing."""


class Stopping(Exception):
    """This worker is stopping: what is stored stays, the rest is done by another."""


class Work(Generic[JobT]):
    """One claimed row while its handler runs."""

    def __init__(self, job: JobT, claim: Claim, *, lost: Event, stopping: Event) -> None:
        self.job = job
        self._claim = claim
        self._lost = lost
        self._stopping = stopping
        self._began = time.monotonic()
        self._began_at = job.progress_done

    def check(self) -> None:
        """Raises :class:`LeaseLost` or :class:`Stopping` when the handler should not go on."""
        if self._lost.is_set():
            raise LeaseLost
        if self._stopping.is_set():
            raise Stopping

    @contextmanager
    def fenced(self, **columns: Any) -> Iterator[None]:
        """A transaction that commits only while the lease is held, and sets ``columns`` with it.

        The row's UPDATE comes first: on PostgreSQL it locks the row, so a delete or another claim
        waits until what is written inside has been stored, or finds that it was not.
        """
        with transaction.atomic():
            if not update_held(self._claim, **(columns or {"state": self.job.state})):
                raise LeaseLost
            yield
        for name, value in columns.items():
            setattr(self.job, name, value)

    def progress(self, done: int, total: int | None = None) -> dict[str, Any]:
        """The columns that say ``done`` of ``total`` units are stored, at what pace. Progress also
        clears the count of attempts: a long job that moves on is not one that kills its worker."""
        elapsed = max(1e-3, time.monotonic() - self._began)
        columns: dict[str, Any] = {
            "progress_done": done,
            "progress_per_second": (done - self._began_at) / elapsed,
            "attempts": 0,
        }
        if total is not None:
            columns["progress_total"] = total
        return columns

    def report(self, done: int, total: int | None = None) -> None:
        """Stores progress that comes with no result."""
        with self.fenced(**self.progress(done, total)):
            pass
