"""What workers count: rows run by what became of them, and how long each waited and took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.utils import timezone
from prometheus_client import Counter, Histogram

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0)

RUNS = Counter(
    "job_runs_total",
    "Runs of a row: done, failed, dead, waiting (model server away), returned, lost.",
    ["kind", "outcome"],
)
WAIT = Histogram(
    "job_wait_seconds",
    "Seconds from when a row could be worked on until a worker took it.",
    ["kind"],
    buckets=_SECONDS,
)
RUN = Histogram("job_run_seconds", "Seconds one run of a row took.", ["kind"], buckets=_SECONDS)
SWEPT = Counter(
    "jobs_swept_total",
    "Rows put right: requeued, buried (their worker died too often), reminded, released.",
    ["what"],
)


def taken(kind: str, *, since: datetime) -> None:
    """Counts the wait of a row that a worker has just taken."""
    WAIT.labels(kind).observe(max(0.0, (timezone.now() - since).total_seconds()))


@contextmanager
def timed(kind: str) -> Iterator[None]:
    """Times one run, however it ends."""
    began = time.perf_counter()
    try:
        yield
    finally:
        RUN.labels(kind).observe(time.perf_counter() - began)
