"""What may happen to a job's row. Every change is one UPDATE that states what must still hold, so
two processes can never both believe that they made it."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from discern.web.jobs import bells
from discern.web.jobs.carriers import carrier
from discern.web.jobs.models import Job, State
from discern.web.jobs.owners import has_ended
from discern.web.jobs.registry import Kind, kind_of, kinds

FINAL: Final = (State.DONE, State.FAILED, State.DEAD)
_LONG_AGO: Final = F("created_at") - timedelta(days=1)
"""A notice that old makes the sweeper send a message for the row in its next round."""

_NO_LEASE: Final[dict[str, Any]] = {
    "lease_token": "",
    "lease_owner": "",
    "lease_expires_at": None,
}


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's right to a row: only who names this token may write, until the lease ends."""

    kind: Kind
    pk: UUID
    token: str
    last_try: bool = False


def enqueue(job: Job) -> None:
    """Stores a new row; once the surrounding transaction commits, workers are told."""
    kind = kind_of(type(job))
    job.save(force_insert=True)
    _notify_on_commit(kind, job.pk, job.priority)


def claim_next(*, owner: str, among: Sequence[Kind], limit: int) -> list[Claim]:
    """Up to ``limit`` rows for ``owner``, the most urgent of all kinds first, then the oldest.

    Looking is a plain read; the claim is the conditional UPDATE after it, which another worker
    may have won, and then the next candidate is tried.
    """
    now = timezone.now()
    candidates: list[tuple[int, datetime, Kind, UUID, int]] = []
    for kind in _with_waiting(among, now):
        rows = (
            kind.model._default_manager.filter(state=State.QUEUED, available_at__lte=now)
            .order_by("priority", "available_at")
            .values_list("priority", "available_at", "pk", "attempts")[: 2 * limit]
        )
        candidates += [(priority, since, kind, pk, tries) for priority, since, pk, tries in rows]
    candidates.sort(key=lambda found: found[:2])
    claims: list[Claim] = []
    for _, _, kind, pk, tries in candidates:
        if len(claims) == limit:
            break
        if claimed := claim(kind, pk, owner=owner, tries=tries):
            claims.append(claimed)
    return claims


def _with_waiting(among: Sequence[Kind], now: datetime) -> list[Kind]:
    # An idle worker asks this many times a second, so all kinds are asked in one statement, and
    # it is written out: the ORM takes twenty times as long to compose it as SQLite to answer.
    if not among:
        return []
    moment = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(
            _waiting_sql(tuple(kind.model._meta.db_table for kind in among)),
            [State.QUEUED.value, moment] * len(among),
        )
        return [among[place] for (place,) in cursor.fetchall()]


@lru_cache(maxsize=16)
def _waiting_sql(tables: tuple[str, ...]) -> str:
    each = "SELECT {} WHERE EXISTS (SELECT 1 FROM {} WHERE state = %s AND available_at <= %s)"
    names = map(connection.ops.quote_name, tables)
    return " UNION ALL ".join(each.format(place, name) for place, name in enumerate(names))


# Written out too: composed by the ORM, it was a fifth of a worker's own time.
_CLAIM: Final = (
    "UPDATE {} SET state = %s, attempts = attempts + 1, lease_token = %s, lease_owner = %s,"
    " lease_expires_at = %s, started_at = COALESCE(started_at, %s)"
    " WHERE id = %s AND state = %s AND available_at <= %s"
)


def claim(kind: Kind, pk: UUID, *, owner: str, tries: int = 0) -> Claim | None:
    """Claims one row, which was tried ``tries`` times before, or returns None when it is not
    waiting (any more, or yet)."""
    now = timezone.now()
    token = uuid.uuid4().hex
    meta = kind.model._meta
    moment = connection.ops.adapt_datetimefield_value(now)
    ends = now + timedelta(seconds=kind.lease_s)
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM.format(connection.ops.quote_name(meta.db_table)),
            [
                State.PROCESSING.value,
                token,
                owner[:100],
                connection.ops.adapt_datetimefield_value(ends),
                moment,
                meta.get_field("id").get_db_prep_value(pk, connection),
                State.QUEUED.value,
                moment,
            ],
        )
        won = cursor.rowcount > 0
    if not won:
        return None
    transaction.on_commit(_tell_watchers)
    return Claim(kind, pk, token, last_try=tries + 1 >= kind.max_attempts)


def update_held(claim: Claim, **columns: Any) -> bool:
    """Changes columns of a held row; False when the lease was lost to another worker."""
    held = claim.kind.model._default_manager.filter(
        pk=claim.pk, state=State.PROCESSING, lease_token=claim.token
    )
    changed = bool(held.update(**columns))
    if changed:
        transaction.on_commit(_tell_watchers)
    return changed


def _tell_watchers() -> None:
    bells.ring(bells.CHANGED)


def renew(claim: Claim) -> bool:
    """Extends the lease; False when it was lost."""
    expires = timezone.now() + timedelta(seconds=claim.kind.lease_s)
    return update_held(claim, lease_expires_at=expires)


def finish(claim: Claim, **columns: Any) -> bool:
    """Marks the row done, with the result's columns in the same UPDATE."""
    return update_held(
        claim,
        **columns,
        **_NO_LEASE,
        state=State.DONE,
        finished_at=timezone.now(),
        error_code="",
        error_message="",
    )


def fail(claim: Claim, *, code: str, message: str, state: State = State.FAILED) -> bool:
    """Marks the row as one that will not succeed by trying again."""
    return update_held(
        claim,
        **_NO_LEASE,
        state=state,
        finished_at=timezone.now(),
        error_code=code,
        error_message=message,
    )


def put_back(
    claim: Claim,
    *,
    priority: int,
    delay_s: float = 0.0,
    spent: bool = False,
    engine_lost: bool = False,
) -> bool:
    """Returns the row to the queue; ``spent`` keeps the attempt counted."""
    columns: dict[str, Any] = {**_NO_LEASE, "state": State.QUEUED}
    now = timezone.now()
    columns["available_at"] = now + timedelta(seconds=delay_s)
    columns["notified_at"] = now
    if not spent:
        columns["attempts"] = Greatest(F("attempts"), 1) - 1
    if engine_lost:
        columns["engine_losses"] = F("engine_losses") + 1
    kept = update_held(claim, **columns)
    if kept:
        _notify(claim.kind, claim.pk, priority, delay_s=delay_s)
    return kept


def retry(job: Job, *, even_done: bool = False) -> bool:
    """Queues a failed or dead row again, as new, or with ``even_done`` one that is done; False
    when it is in another state."""
    now = timezone.now()
    states = FINAL if even_done else (State.FAILED, State.DEAD)
    changed = (
        type(job)
        ._default_manager.filter(pk=job.pk, state__in=states)
        .update(
            state=State.QUEUED,
            attempts=0,
            engine_losses=0,
            available_at=now,
            notified_at=now,
            finished_at=None,
            error_code="",
            error_message="",
        )
    )
    if changed:
        _notify_on_commit(kind_of(type(job)), job.pk, job.priority)
    return bool(changed)


def sweep(*, silent_s: float = 60.0) -> dict[str, int]:
    """Puts right what dead workers and lost messages left behind; any process may, at any time.

    Returns how many rows were ``requeued`` (their lease had ended), ``buried`` (for the
    ``max_attempts``-th time) and ``reminded`` (nobody came for them in ``silent_s`` seconds).
    """
    expired = Q(lease_expires_at__lt=timezone.now())
    done = Counter(requeued=0, buried=0, reminded=0)
    for kind in kinds():
        done.update(_take_back(kind, expired))
        done["reminded"] += _remind(kind, silent_s)
    return dict(done)


def put_in_due() -> dict[str, int]:
    """Asks every kind's schedule; returns how many rows were ``put in``."""
    return {"put in": sum(kind.put_in_due() for kind in kinds() if kind.put_in_due is not None)}


def reap(*, silent_s: float = 60.0) -> dict[str, int]:
    """Takes rows back from workers of this machine that have ended, without waiting for their
    leases to; a plain read when there are none. Returns as :func:`sweep`."""
    done = Counter(requeued=0, buried=0, reminded=0)
    for kind in kinds():
        held = kind.model._default_manager.filter(state=State.PROCESSING)
        owners = held.order_by().values_list("lease_owner", flat=True).distinct()
        gone = [owner for owner in owners if has_ended(owner)]
        if gone:
            done.update(_take_back(kind, Q(lease_owner__in=gone)))
            done["reminded"] += _remind(kind, silent_s)
    return dict(done)


def _take_back(kind: Kind, lost: Q) -> dict[str, int]:
    now = timezone.now()
    rows = kind.model._default_manager.filter(lost, state=State.PROCESSING)
    buried = rows.filter(attempts__gte=kind.max_attempts).update(
        **_NO_LEASE,
        state=State.DEAD,
        finished_at=now,
        error_code="worker_died",
        error_message=f"Its worker died or hung {kind.max_attempts} times while working on it.",
    )
    requeued = rows.filter(attempts__lt=kind.max_attempts).update(
        **_NO_LEASE,
        state=State.QUEUED,
        available_at=now,
        notified_at=_LONG_AGO,
    )
    if requeued:
        bells.ring(bells.QUEUED)
    if requeued or buried:
        _tell_watchers()
    return {"buried": buried, "requeued": requeued}


def _remind(kind: Kind, silent_s: float, *, most: int = 500) -> int:
    """Sends the message of waiting rows again, each after twice the last silence: a long queue is
    not lost messages, and must not become ever more of them."""
    if not carrier().sends_messages:
        return 0
    now = timezone.now()
    waiting = kind.model._default_manager.filter(
        state=State.QUEUED,
        available_at__lte=now,
        notified_at__lt=now - timedelta(seconds=silent_s),
    )
    longer = waiting.annotate(
        before=ExpressionWrapper(F("notified_at") - F("created_at"), DurationField()),
        since=ExpressionWrapper(Value(now) - F("notified_at"), DurationField()),
    ).filter(since__gt=F("before"))
    due = list(longer.order_by("notified_at").values_list("pk", "priority")[:most])
    kind.model._default_manager.filter(pk__in=[pk for pk, _ in due]).update(notified_at=now)
    for sent, (pk, priority) in enumerate(due):
        if not carrier().notify(kind.name, pk, priority=priority):
            # A broker that is away for one is away for all; they are first in the next round.
            unsent = [pk for pk, _ in due[sent:]]
            kind.model._default_manager.filter(pk__in=unsent).update(notified_at=_LONG_AGO)
            return sent
    return len(due)


def _notify_on_commit(kind: Kind, pk: UUID, priority: int) -> None:
    transaction.on_commit(lambda: _notify(kind, pk, priority), robust=True)


def _notify(kind: Kind, pk: UUID, priority: int, *, delay_s: float = 0.0) -> None:
    if not carrier().notify(kind.name, pk, priority=priority, delay_s=delay_s):
        kind.model._default_manager.filter(pk=pk).update(notified_at=_LONG_AGO)


def backoff_s(attempt: int, *, first: float = 1.0, most: float = 60.0) -> float:
    """Seconds to wait after the ``attempt``-th failure: doubling, with a fifth of chance in it so
    that what failed together does not come back together."""
    return min(most, first * 2.0 ** max(0, attempt - 1)) * random.uniform(0.8, 1.2)  # noqa: S311
