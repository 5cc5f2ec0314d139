"""Where lists come from is counted, under a few names whatever people and contents there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from discern.errors import EngineUnreachable, ModelNotFound
from discern.recommendations.contract import Content, Interaction
from discern.web.accounts.models import User
from discern.web.recommendations import lists, mirrors
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.interactions import record
from discern.web.recommendations.numbers import SOURCES
from tests.fakes.recommender import ShelfEngine
from tests.web.conftest import client_of


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> ShelfEngine:
    engine = ShelfEngine(["a", "b", "c"])
    monkeypatch.setattr(lists, "get_engine", lambda: engine)
    return engine


@pytest.fixture(autouse=True)
def _world(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setattr(mirrors, "library", lambda: mirrors.library_in(str(tmp_path / "library")))
    put_contents(contents=[Content(name, title=name) for name in "abc"])
    record(interactions=[Interaction("anna", "a", liked=True, at=1.0)])
    yield
    mirrors.library().events.close()
    mirrors.library_in.cache_clear()


@pytest.fixture
def api(person: User) -> Client:
    User.objects.filter(pk=person.pk).update(is_staff=True)
    person.refresh_from_db()
    return client_of(person)


def counted() -> dict[str, float]:
    text = Client().get("/metrics").content.decode()
    found = re.findall(r'^recommendation_lists_total\{source="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {source: float(count) for source, count in found}


def test_each_list_is_counted_once_under_where_it_came_from(
    api: Client, shelf: ShelfEngine
) -> None:
    def grown(path: str) -> dict[str, float]:
        before = counted()
        assert api.get(f"/api/v1/{path}").status_code == 200
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
    assert grown("contents/a/similar") == {}
    assert set(counted()) == set(SOURCES)


def test_a_request_that_is_refused_counts_for_no_source(api: Client, shelf: ShelfEngine) -> None:
    before = counted()
    assert api.get("/api/v1/recommendations?person=anna&diversity=7").status_code == 400
    assert counted() == before
