"""Runs one claimed row and decides what becomes of it.

| the handler                         | the row                                             |
|-------------------------------------|-----------------------------------------------------|
| returns                             | done                                                |
| raises Stopping                     | queued again at once, attempt not counted           |
| raises LeaseLost                    | untouched: it is another worker's                   |
| raises Unavailable, DeadlineExceeded| queued again, attempt not counted                   |
| ... the engine lost 10 times on it  | dead                                                |
| raises another DiscernError         | failed, with its code and message                   |
| raises anything else                | queued with back-off; after max_attempts failed     |
| the process dies                    | its lease ends; swept to queued, or dead            |
"""

from __future__ import annotations

import enum
import logging
from threading import Event
from typing import Final

from discern.errors import DeadlineExceeded, DiscernError, EngineUnreachable, Unavailable
from discern.web.jobs import services
from discern.web.jobs.leases import keeper
from discern.web.jobs.models import Job, State
from discern.web.jobs.services import Claim
from discern.web.jobs.work import LeaseLost, Stopping, Work

log = logging.getLogger(__name__)

MAX_ENGINE_LOSSES: Final = 10
"""A row during which a model server, ready before, went away this often is what kills it."""


class Outcome(enum.Enum):
    """What a worker should know of a row it ran."""

    SETTLED = "settled"
    WAITING = "waiting for the engine"
    RETURNED = "returned to the queue"
    LOST = "lost to another worker"


def run(claim: Claim, *, stopping: Event) -> Outcome:
    """Runs the handler of a claimed row while its lease is renewed."""
    job = claim.kind.model._default_manager.filter(pk=claim.pk).first()
    if job is None:
        return Outcome.LOST
    with keeper.keep(claim) as lost:
        try:
            columns = claim.kind.handler(Work(job, claim, lost=lost, stopping=stopping))
        except LeaseLost:
            return Outcome.LOST
        except Stopping:
            services.put_back(claim, priority=job.priority)
            return Outcome.RETURNED
        except (Unavailable, DeadlineExceeded) as error:
            return _wait_for_engine(claim, error, job)
        except DiscernError as error:
            services.fail(claim, code=error.code, message=error.message)
            return Outcome.SETTLED
        except Exception:
            log.exception("%s %s failed on attempt %d.", claim.kind.name, claim.pk, job.attempts)
            return _try_again(claim, job)
        return Outcome.SETTLED if services.finish(claim, **(columns or {})) else Outcome.LOST


def _wait_for_engine(claim: Claim, error: DiscernError, job: Job) -> Outcome:
    lost = isinstance(error, EngineUnreachable)
    if lost and job.engine_losses + 1 >= MAX_ENGINE_LOSSES:
        services.fail(
            claim,
            code=error.code,
            message=f"The model server was lost {MAX_ENGINE_LOSSES} times while working on it.",
            state=State.DEAD,
        )
        return Outcome.SETTLED
    services.put_back(
        claim, priority=job.priority, delay_s=error.retry_after_s or 0.5, engine_lost=lost
    )
    return Outcome.WAITING


def _try_again(claim: Claim, job: Job) -> Outcome:
    if job.attempts >= claim.kind.max_attempts:
        services.fail(
            claim,
            code="internal_error",
            message=f"Something unexpected failed {job.attempts} times; the log says what.",
        )
        return Outcome.SETTLED
    services.put_back(
        claim, priority=job.priority, delay_s=services.backoff_s(job.attempts), spent=True
    )
    return Outcome.RETURNED
