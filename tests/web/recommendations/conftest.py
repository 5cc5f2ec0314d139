"""A library and a shelf of the test's own, and the program that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from discern.recommendations.contract import Content as CoreContent
from discern.web.accounts.models import User
from discern.web.recommendations import lists, mirrors
from discern.web.recommendations.contents import put_contents
from tests.fakes.recommender import ShelfEngine
from tests.web.conftest import client_of
from tests.web.recommendations.asking import SHELF


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> ShelfEngine:
    """The site's engine answers from a fixed shelf."""
    engine = ShelfEngine(list(SHELF))
    monkeypatch.setattr(lists, "get_engine", lambda: engine)
    return engine


@pytest.fixture(autouse=True)
def _own_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(mirrors, "library", lambda: mirrors.library_in(str(tmp_path / "library")))
    yield
    mirrors.library().events.close()
    mirrors.library_in.cache_clear()


@pytest.fixture
def api(person: User) -> Client:
    """A host application's program, with its service account's key."""
    User.objects.filter(pk=person.pk).update(is_staff=True)
    person.refresh_from_db()
    return client_of(person)


@pytest.fixture
def contents(transactional_db: None) -> None:
    put_contents(
        contents=[
            CoreContent(
                name,
                title=f"Text {i}",
                text="some words",
                category="sea" if i % 2 else "sky",
                tags=("odd",) if i % 2 else (),
            )
            for i, name in enumerate(SHELF)
        ]
    )
