"""Answers to probes and scrapers."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from discern.web.engine import engine_ready
from discern.web.exporter import shared_numbers
from discern.web.monitoring.access import may_scrape
from discern.web.monitoring.collect import JobCollector

_UNCACHED = {"Cache-Control": "no-store"}
_seen_migrated: list[bool] = []


def live(_request: HttpRequest) -> JsonResponse:
    """200 whenever the process answers at all."""
    return JsonResponse({"status": "live"}, headers=_UNCACHED)


def ready(_request: HttpRequest) -> JsonResponse:
    """200 when a request for a mood could be answered now; otherwise 503 and what is missing."""
    checks = {
        "database": _database(),
        "model_server": "ok" if engine_ready() else "not ready",
    }
    good = all(result == "ok" for result in checks.values())
    body = {"status": "ready" if good else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if good else 503, headers=_UNCACHED)


def metrics(request: HttpRequest) -> HttpResponse:
    """All processes' numbers in Prometheus' format, for who may read them."""
    if not may_scrape(request):
        return HttpResponse(
            "The metrics are for this machine or for who has the metrics token.\n",
            status=403,
            content_type="text/plain; charset=utf-8",
        )
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(_shared_numbers()), content_type=content_type, headers=_UNCACHED)


def _shared_numbers() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(JobCollector())
    registry.register(shared_numbers())
    return registry


def _database() -> str:
    try:
        if not _migrated():
            return "not migrated"
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return "unreachable"
    return "ok"


def _migrated() -> bool:
    """Remembered once true: a database is not migrated backwards under a running process."""
    if not _seen_migrated:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            return False
        _seen_migrated.append(True)
    return True
