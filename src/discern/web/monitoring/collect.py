"""The numbers that are read from the database when a scraper asks for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db import DatabaseError, connection
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from discern.web.jobs.models import State
from discern.web.jobs.registry import Kind, kinds

log = logging.getLogger(__name__)


class JobCollector(Collector):
    """How deep each queue is, and how long its oldest row has waited."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        depth = GaugeMetricFamily("jobs", "Jobs by kind and state.", labels=["kind", "state"])
        oldest = GaugeMetricFamily(
            "job_oldest_wait_seconds",
            "Seconds the longest waiting job could have been worked on.",
            labels=["kind"],
        )
        try:
            for kind in kinds():
                for state, count in _counts(kind).items():
                    depth.add_metric([kind.name, state], count)
                oldest.add_metric([kind.name], _oldest_wait_s(kind))
        except DatabaseError:  # the other numbers matter most just then
            log.warning("The queues could not be counted.", exc_info=True)
            connection.close()
        yield depth
        yield oldest


def _counts(kind: Kind) -> dict[str, int]:
    found = kind.model._default_manager.order_by().values_list("state").annotate(n=Count("pk"))
    return {state.value: 0 for state in State} | dict(found)


def _oldest_wait_s(kind: Kind) -> float:
    now = timezone.now()
    waiting = kind.model._default_manager.filter(state=State.QUEUED, available_at__lte=now)
    since = waiting.aggregate(since=Min("available_at"))["since"]
    return (now - since).total_seconds() if since else 0.0
