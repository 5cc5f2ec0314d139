"""Fits and lists made ahead as durable jobs: asked for by a person, or once a night by themselves.

Every worker's sweeper looks whether the night's jobs are due, and so does Celery beat where it
runs; the table's constraint lets only one of them put each job in.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from discern.errors import DiscernError, ModelNotFound, NotFound
from discern.web.api.errors import Conflict
from discern.web.jobs import services as jobs
from discern.web.jobs.models import BATCH, State
from discern.web.jobs.registry import Kind, register
from discern.web.jobs.work import Work
from discern.web.recommendations import arm_totals, lists
from discern.web.recommendations.fitting import fit_beside
from discern.web.recommendations.models import LearningJob, Person, UserInteraction

NIGHTLY_AT: Final = time(3, 17)
"""When the night's jobs are due, in the site's time zone; a site that was off makes up for it."""

NIGHTLY_TUNE_S: Final = 60.0
PEOPLE_A_STEP: Final = 50
Task = LearningJob.Task


def enqueue_fit(*, tune_seconds: float) -> LearningJob:
    """Queues a fit.

    Raises:
        Conflict: another is waiting or running.
    """
    busy = (State.QUEUED, State.PROCESSING)
    if fits().filter(state__in=busy).exists():
        raise Conflict("A fit is under way already; wait for it to end.")
    job = LearningJob(task=Task.FIT, tune_seconds=tune_seconds, priority=BATCH)
    jobs.enqueue(job)
    return job


def fits() -> QuerySet[LearningJob]:
    """All fits."""
    return LearningJob.objects.filter(task=Task.FIT)


def fit_named(job_id: UUID) -> LearningJob:
    """One fit; NotFound when there is none."""
    found = fits().filter(pk=job_id).first()
    if found is None:
        raise NotFound("There is no such fit.")
    return found


def enqueue_due(now: datetime | None = None) -> int:
    """Puts in the night's fit once its time has come, and its lists once it has ended, however it
    did. Returns how many jobs were put in.

    A site that was off at night makes up for it, but a new one waits for its first night; one
    without interactions has nothing to learn.
    """
    local = timezone.localtime(now)
    night = local.date() if local.time() >= NIGHTLY_AT else local.date() - timedelta(days=1)
    if night in _settled_nights:
        return 0
    due = timezone.make_aware(datetime.combine(night, NIGHTLY_AT))
    former = LearningJob.objects.filter(task=Task.FIT, night__lt=night)
    if (due < _STARTED and not former.exists()) or not UserInteraction.objects.exists():
        return 0
    if _enqueue_once(Task.FIT, night):
        return 1
    if not LearningJob.objects.filter(task=Task.FIT, night=night, state__in=jobs.FINAL).exists():
        return 0
    # A fit puts its lists in itself, but not one whose process died or that failed as no error of
    # ours: nothing of it is left to do so.
    added = _enqueue_once(Task.PRECOMPUTE, night)
    _settled_nights.clear()
    _settled_nights.add(night)
    return int(added)


_STARTED: Final = timezone.now()
_settled_nights: set[date] = set()
"""The night this process knows to have its jobs: the sweeper asks every few seconds."""


def register_kind() -> None:
    """Makes workers know these jobs, and their sweepers the schedule."""
    register(
        Kind(
            "learning",
            LearningJob,
            process,
            lease_s=settings.JOB_LEASE_S,
            time_limit_s=6 * 3600.0,
            put_in_due=enqueue_due,
            tidy=arm_totals.purge,
        )
    )


def process(work: Work[LearningJob]) -> Mapping[str, Any]:
    """Does one job."""
    if work.job.task == Task.PRECOMPUTE:
        return _precompute(work)
    try:
        done = fit_beside(work)
    except DiscernError:
        # A fit that fails must not cost the lists: the present model makes them.
        _follow(work.job)
        raise
    _follow(work.job)
    return done


def _follow(job: LearningJob) -> None:
    if job.night is not None:
        _enqueue_once(Task.PRECOMPUTE, job.night)


def _enqueue_once(task: str, night: date) -> bool:
    if LearningJob.objects.filter(task=task, night=night).exists():
        return False
    job = LearningJob(task=task, night=night, tune_seconds=NIGHTLY_TUNE_S, priority=BATCH)
    try:
        with transaction.atomic():
            jobs.enqueue(job)
    except IntegrityError:
        return False  # another process was first
    return True


def _precompute(work: Work[LearningJob]) -> Mapping[str, Any]:
    """Begins where a worker that died left off: with whoever has no list since the job was made."""
    since = work.job.created_at
    waiting = Person.objects.exclude(precomputed__created_at__gte=since).order_by("pk")
    total = Person.objects.count()
    done = total - waiting.count()
    while people := list(waiting[:PEOPLE_A_STEP]):
        work.check()
        try:
            done += lists.precompute(people=people)
        except ModelNotFound:
            return {"stage": "nothing was fitted yet"}
        work.report(done, total)
    return {"stage": f"{done} lists"}
