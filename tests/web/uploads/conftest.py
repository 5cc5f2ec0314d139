"""Storage and an engine of the test's own, and the people who upload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from discern.web.accounts.models import User
from discern.web.engine import get_engine
from tests.fakes.pictures import PictureEngine


@pytest.fixture(autouse=True)
def engine(settings: Any, tmp_path: Path) -> Iterator[PictureEngine]:
    settings.ENGINE_FACTORY = "tests.fakes.pictures.PictureEngine"
    uploads = dict(settings.STORAGES["uploads"])
    uploads["OPTIONS"] = {**uploads["OPTIONS"], "location": tmp_path / "files"}
    settings.STORAGES = {**settings.STORAGES, "uploads": uploads}
    get_engine.cache_clear()
    yield get_engine()._inner  # type: ignore[attr-defined]
    get_engine.cache_clear()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada", password="analytical-engine")


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def stranger() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("eve", password="somebody-else"))
    return client
