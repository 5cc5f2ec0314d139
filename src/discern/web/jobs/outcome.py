"""Runs one claimed row and decides what becomes of it.

| the handler                         | the row                                             |
|-------------------------------------|-----------------------------------------------------|
| returns                             | done                                                |
| raises Stopping                     | queued again at once, attempt not counted           |
| raises LeaseLost                    | untouched: it is another worker's                   |
| is cut off by its carrier's limit   | untouched: its lease ends, as below                 |
| raises Unavailable, DeadlineExceeded| queued again, attempt not counted                   |
| ... the engine took no request      | the same, later with each time in a row             |
| ... the engine lost 10 times on it  | dead                                                |
| raises another DiscernError         | failed, with its code and message                   |
| finds the database away             | queued again once it is back, attempt not counted   |
| raises anything else                | queued with back-off; after max_attempts failed     |
| the process dies                    | its lease ends; swept to queued, or dead            |
"""

from __future__ import annotations

import enum
import functools
import logging
import threading
from collections.abc import Callable
from threading import Event
from typing import Final

from django.db import connection

from discern.errors import DeadlineExceeded, DiscernError, EngineUnreachable, Unavailable
from discern.web.jobs import numbers, services
from discern.web.jobs.leases import keeper
from discern.web.jobs.models import Job, State
from discern.web.jobs.outages import is_away, wait_out
from discern.web.jobs.services import Claim
from discern.web.jobs.work import LeaseLost, Stopping, Work

log = logging.getLogger(__name__)

MAX_ENGINE_LOSSES: Final = 10
"""A row during which a model server, asked and at work, went away this often is what kills it."""

LONGEST_PAUSE_S: Final = 30.0
"""The most seconds a row rests, give or take a fifth, because the model server was away."""


class _Refusals:
    """How often in a row this process found the model server away. Where messages bring rows,
    nothing but this keeps an outage from becoming a storm of claims."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    def clear(self) -> None:
        """Called when a row went through."""
        with self._lock:
            self._count = 0

    def pause_s(self) -> float:
        """Counts one more; returns how long its row should rest."""
        with self._lock:
            self._count += 1
            return services.backoff_s(self._count, first=0.5, most=LONGEST_PAUSE_S)


_refusals = _Refusals()


class Outcome(enum.Enum):
    """What a worker should know of a row it ran."""

    SETTLED = "settled"
    WAITING = "waiting for the engine"
    RETURNED = "returned to the queue"
    LOST = "lost to another worker"


_Settled = tuple[str, Outcome]
"""What became of the row, as it is counted, and what the worker should know."""
_DONE: Final[_Settled] = ("done", Outcome.SETTLED)
_LOST: Final[_Settled] = ("lost", Outcome.LOST)


def run(claim: Claim, *, stopping: Event, cut_off: tuple[type[Exception], ...] = ()) -> Outcome:
    """Runs the handler of a claimed row while its lease is renewed. ``cut_off`` is what a carrier
    raises in a handler that is past its kind's time limit.

    What becomes of the row is then written as soon as the database takes it: a database that is
    restarted meanwhile costs the row that time, and not the rest of its lease.
    """
    limit_s = claim.kind.lease_s
    kind = claim.kind.name
    find = claim.kind.model._default_manager.filter(pk=claim.pk).first
    with keeper.keep(claim) as lost, numbers.timed(kind):
        job = wait_out(find, limit_s=limit_s)
        if job is None:
            result, outcome = "lost", Outcome.LOST
        else:
            numbers.taken(kind, since=job.available_at)
            work = Work(job, claim, lost=lost, stopping=stopping)
            settle = _handle(claim, job, work, cut_off)
            result, outcome = wait_out(settle, limit_s=limit_s)
    if outcome is Outcome.SETTLED:
        _refusals.clear()
    numbers.RUNS.labels(kind, result).inc()
    return outcome


def _handle(
    claim: Claim, job: Job, work: Work[Job], cut_off: tuple[type[Exception], ...]
) -> Callable[[], _Settled]:
    """Calls the handler and returns how to settle the row; that may be done more than once."""
    try:
        columns = claim.kind.handler(work)
    except LeaseLost:
        return lambda: _LOST
    except cut_off:
        log.exception("%s %s was cut off past its limit.", claim.kind.name, claim.pk)
        return lambda: _LOST
    except Stopping:
        return lambda: _return(claim, job)
    except (Unavailable, DeadlineExceeded) as error:
        return functools.partial(_wait_for_engine, claim, error, job)
    except DiscernError as error:
        return functools.partial(_refuse, claim, error.code, error.message)
    except Exception as error:
        if is_away(error):
            connection.close()
            log.warning("%s %s lost the database.", claim.kind.name, claim.pk, exc_info=True)
            return lambda: _return(claim, job)
        log.exception("%s %s failed on attempt %d.", claim.kind.name, claim.pk, job.attempts)
        return lambda: _try_again(claim, job)
    return lambda: _DONE if services.finish(claim, **(columns or {})) else _LOST


def _return(claim: Claim, job: Job) -> _Settled:
    services.put_back(claim, priority=job.priority)
    return "returned", Outcome.RETURNED


def _refuse(claim: Claim, code: str, message: str) -> _Settled:
    services.fail(claim, code=code, message=message)
    return "failed", Outcome.SETTLED


def _wait_for_engine(claim: Claim, error: DiscernError, job: Job) -> _Settled:
    lost = isinstance(error, EngineUnreachable) and error.cut_off
    if lost and job.engine_losses + 1 >= MAX_ENGINE_LOSSES:
        services.fail(
            claim,
            code=error.code,
            message=f"The model server was lost {MAX_ENGINE_LOSSES} times while working on it.",
            state=State.DEAD,
        )
        return "dead", Outcome.SETTLED
    services.put_back(claim, priority=job.priority, delay_s=_pause_s(error, job), engine_lost=lost)
    return "waiting", Outcome.WAITING


def _pause_s(error: DiscernError, job: Job) -> float:
    asked = error.retry_after_s or 0.5
    if not isinstance(error, EngineUnreachable):
        return asked
    if error.cut_off:
        return services.backoff_s(job.engine_losses + 1, first=asked, most=LONGEST_PAUSE_S)
    return max(asked, _refusals.pause_s())


def _try_again(claim: Claim, job: Job) -> _Settled:
    if job.attempts >= claim.kind.max_attempts:
        services.fail(
            claim,
            code="internal_error",
            message=f"Something unexpected failed {job.attempts} times; the log says what.",
        )
        return "failed", Outcome.SETTLED
    services.put_back(
        claim, priority=job.priority, delay_s=services.backoff_s(job.attempts), spent=True
    )
    return "returned", Outcome.RETURNED
