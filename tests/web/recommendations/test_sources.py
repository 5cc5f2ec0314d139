"""Where lists come from is counted, under a few names whatever people and contents there are."""

from __future__ import annotations

import re

import pytest
from django.core.management import call_command
from django.test import Client

from discern.errors import EngineUnreachable, ModelNotFound
from discern.recommendations.contract import Interaction
from discern.web.recommendations.interactions import record
from discern.web.recommendations.numbers import SOURCES
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import API, SHELF


@pytest.fixture(autouse=True)
def _anna(contents: None) -> None:
    record(interactions=[Interaction("anna", SHELF[0], liked=True, at=1.0)])


def counted() -> dict[str, float]:
    text = Client().get("/metrics").content.decode()
    found = re.findall(r'^recommendation_lists_total\{source="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {source: float(count) for source, count in found}


def test_each_list_is_counted_once_under_where_it_came_from(
    api: Client, shelf: ShelfEngine
) -> None:
    def grown(path: str) -> dict[str, float]:
        before = counted()
        assert api.get(f"{API}/{path}").status_code == 200
        return {name: n - before[name] for name, n in counted().items() if n != before[name]}

    assert set(counted()) == set(SOURCES)  # each at 0 from the start
    assert grown("recommendations?person=anna") == {"model": 1}
    assert grown("recommendations?person=nobody-yet") == {"popular": 1}
    call_command("precompute_recommendations", verbosity=0)
    shelf.failure = EngineUnreachable("away", retry_after_s=1.0)
    assert grown("recommendations?person=anna") == {"precomputed": 1}
    assert grown("recommendations?person=somebody-else") == {"newest": 1}
    shelf.failure = ModelNotFound("nothing fitted")
    assert grown("recommendations?person=anna&experiment=made-up") == {"newest": 1}
    assert grown(f"contents/{SHELF[0]}/similar") == {}
    assert set(counted()) == set(SOURCES)


def test_a_request_that_is_refused_counts_for_no_source(api: Client, shelf: ShelfEngine) -> None:
    before = counted()
    assert api.get(f"{API}/recommendations?person=anna&diversity=7").status_code == 400
    assert counted() == before
