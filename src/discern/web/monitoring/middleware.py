"""Counts and times every request, and answers probes before anything else can refuse them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

from django.http import HttpRequest, HttpResponseBase
from django.urls import ResolverMatch
from prometheus_client import Counter, Histogram

from discern.web.monitoring import views

REQUESTS = Counter(
    "http_requests_total",
    "Requests answered, by address pattern and outcome.",
    ["method", "route", "status"],
)
SECONDS = Histogram(
    "http_request_seconds",
    "Seconds from the request's arrival in Django to its answer's first byte.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES: dict[str, Callable[[HttpRequest], HttpResponseBase]] = {
    "/health/live": views.live,
    "/health/ready": views.ready,
    "/metrics": views.metrics,
}

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ProbeMiddleware:
    """Probes ask by address, not by name: they are answered before the host name is checked or a
    redirect to HTTPS is sent."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = _PROBES.get(request.path_info)
        return self.get_response(request) if probe is None else probe(request)


class RequestMetricsMiddleware:
    """Labels hold patterns, never paths, so a crawler cannot make series."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        elapsed = time.perf_counter() - started
        observe(request.method, route_of(request.resolver_match), response.status_code, elapsed)
        return response


def observe(method: str | None, route: str, status: int, elapsed_s: float) -> None:
    """Counts and times one answer."""
    _requests(method if method in _METHODS else "other", route, status).inc()
    _seconds(route).observe(elapsed_s)


# A metric's own lookup of a child locks and checks more than counting costs. The patterns, methods
# and statuses are few.
@lru_cache(maxsize=2_048)
def _requests(method: str, route: str, status: int) -> Counter:
    return REQUESTS.labels(method, route, str(status))


@lru_cache(maxsize=512)
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)


def route_of(match: ResolverMatch | None) -> str:
    """The label of an address: its pattern, its name, or ``other``."""
    if match is None or not match.route:
        return "other"
    return match.view_name or "other" if match.route.startswith("^") else match.route
