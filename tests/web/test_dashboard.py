"""What the dashboard asks is what Prometheus understands and the site counts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from discern.web.jobs.registry import kinds
from tests.needed import lacking
from tests.services import Prometheus

DASHBOARD = Path(__file__).parents[2] / "deploy/grafana/dashboards/discern.json"
QUERIES = [
    target["expr"].replace("$__rate_interval", "30s")
    for panel in json.loads(DASHBOARD.read_text())["panels"]
    for target in panel["targets"]
]


def routes(found: list[Any] | None = None, before: str = "") -> set[str]:
    """Every address pattern of the site, as the label of its requests names it."""
    names = set()
    for entry in get_resolver().url_patterns if found is None else found:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            names |= routes(entry.url_patterns, here)
        elif isinstance(entry, URLPattern):
            names.add(here)
    return names


def asked(label: str) -> set[tuple[str, str]]:
    return {
        (sign, value)
        for query in QUERIES
        for sign, value in re.findall(rf'\b{label}(=~?)"([^"]+)"', query)
    }


def test_the_dashboard_names_only_routes_and_jobs_that_there_are() -> None:
    wanted = asked("route")
    assert {value for _, value in wanted} >= {"api/v1/recommendations", "api/v1/interactions"}
    for sign, value in wanted:
        pattern = value if sign == "=~" else re.escape(value)
        assert any(re.fullmatch(pattern, route) for route in routes()), value
    assert ("=", "picture") in asked("kind")
    assert {value for _, value in asked("kind")} <= {kind.name for kind in kinds()}


@pytest.mark.services
def test_prometheus_understands_every_question_of_the_dashboard() -> None:
    if reason := Prometheus.missing():
        lacking(reason)
    with Prometheus() as prometheus, httpx.Client(base_url=prometheus.url) as client:
        for query in QUERIES:
            answer = client.get("/api/v1/query", params={"query": query}).json()
            assert answer["status"] == "success", (query, answer)


def test_the_panels_have_names_and_places_of_their_own() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, panel["title"]
                taken.add((x, y))
