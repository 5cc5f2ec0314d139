"""Celery as a carrier: one task that carries a kind and an id, on Redis or RabbitMQ."""

from __future__ import annotations

import logging
import math
import threading
from typing import Any, Final
from uuid import UUID

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded
from celery.schedules import crontab
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import close_old_connections

from discern.web.jobs import services
from discern.web.jobs.models import INTERACTIVE
from discern.web.jobs.outages import wait_out
from discern.web.jobs.outcome import run
from discern.web.jobs.owners import owner_name
from discern.web.jobs.registry import kind_named
from discern.web.jobs.worker import sweep_until

log = logging.getLogger(__name__)

QUEUE: Final = "discern"
VISIBILITY_TIMEOUT_S: Final = 3_600
"""Redis gives an unacknowledged message to another worker after this; the row's lease, not the
message, is what keeps the work single, so being late or early here does no harm."""

CLAIM_WITHIN_S: Final = 60.0
"""How long a message waits for a database that is away before it is spent; the sweeper reminds of
the row later."""

SOFT_MARGIN_S: Final = 30
HARD_MARGIN_S: Final = 60
"""How long after its kind's time limit, which ends the lease, a handler that did not notice is
interrupted, and then its process killed."""

_is_redis = settings.BROKER_URL.startswith("redis")
app = Celery("discern", broker=settings.BROKER_URL)
app.conf.update(
    task_default_queue=QUEUE,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_queue_max_priority=9,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    # RabbitMQ gives the queue of remote control to one worker of a name; nobody uses it here.
    worker_enable_remote_control=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_TIMEOUT_S,
        "priority_steps": [0, 9],
        "socket_connect_timeout": 1,
        "socket_timeout": 30,
        "max_retries": 0,
    }
    if _is_redis
    else {"confirm_publish": True, "max_retries": 0, "connect_timeout": 1},
    broker_connection_timeout=1,
)

# Every worker's sweeper asks for what is due; beat, where somebody runs it, asks on the minute.
app.conf.update(
    timezone=settings.TIME_ZONE,
    beat_schedule={
        "discern.put_in_due": {"task": "discern.put_in_due", "schedule": crontab(hour=3, minute=17)}
    },
)

_stopping = threading.Event()


def publish(kind: str, pk: UUID, *, priority: int, delay_s: float = 0.0) -> None:
    """Sends the message once; raises whatever the transport does when the broker is away."""
    urgent = priority <= INTERACTIVE
    # Redis serves the lowest priority first, RabbitMQ the highest.
    rank = 0 if urgent == _is_redis else 9
    limit_s = math.ceil(kind_named(kind).time_limit_s)
    run_row.apply_async(
        (kind, str(pk)),
        priority=rank,
        countdown=delay_s,
        retry=False,
        soft_time_limit=limit_s + SOFT_MARGIN_S,
        time_limit=limit_s + HARD_MARGIN_S,
    )


@app.task(name="discern.run_row", ignore_result=True)
def run_row(kind: str, pk: str) -> None:
    """Claims the row and runs it; a message for a row that is not waiting is simply spent."""
    close_old_connections()
    among, row = kind_named(kind), UUID(pk)
    claim = wait_out(lambda: services.claim(among, row, owner=owner_name()), limit_s=CLAIM_WITHIN_S)
    if claim is not None:
        run(claim, stopping=_stopping, cut_off=(SoftTimeLimitExceeded,))


@app.task(name="discern.put_in_due", ignore_result=True)
def put_in_due() -> None:
    """Puts in the jobs that the schedules of the kinds say are due."""
    close_old_connections()
    services.put_in_due()


@worker_ready.connect
def _start_sweeper(**_: Any) -> None:
    threading.Thread(target=sweep_until, args=(_stopping,), name="sweeper", daemon=True).start()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    _stopping.set()
