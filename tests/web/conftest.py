"""A site with a database of its own. DISCERN_TEST_DATABASE_URL runs the suite on PostgreSQL."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator

import prometheus_client  # noqa: F401 - before the settings, so that this process keeps its numbers
import pytest

_FOLDER = tempfile.TemporaryDirectory(prefix="discern-web-tests-")
_OWN = {
    "DISCERN_HOME": _FOLDER.name,
    "DISCERN_DATABASE_URL": os.environ.get("DISCERN_TEST_DATABASE_URL", ""),
    "DISCERN_SECRET_KEY": secrets.token_urlsafe(64),
    "DISCERN_RATE_ANONYMOUS": "100000/minute",
}
_before = {name: value for name, value in os.environ.items() if name.startswith("DISCERN_")}
for _name in _before:
    del os.environ[_name]
os.environ.update(_OWN, DJANGO_SETTINGS_MODULE="tests.web.settings")

import django  # noqa: E402

django.setup()
for _name in [*_OWN, "PROMETHEUS_MULTIPROC_DIR"]:
    os.environ.pop(_name, None)
os.environ.update(_before)

from django.core.cache import cache  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.test import Client  # noqa: E402

from discern.web import shortcut  # noqa: E402
from discern.web.accounts.models import User  # noqa: E402
from discern.web.accounts.services import create_key  # noqa: E402
from discern.web.api.counts import FileCounts, get_counts  # noqa: E402
from discern.web.engine import MeteredEngine, get_engine  # noqa: E402
from tests.fakes.engine import WordEngine  # noqa: E402
from tests.web.chores.kind import Chosen  # noqa: E402
from tests.web.live import LiveSite  # noqa: E402
from tests.web.two_ways import Ways  # noqa: E402

PASSWORD = "correct horse battery"
_LIVE = {"site", "two_processes", "slow_site"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting a whole site takes its time on a busy machine."""
    for item in items:
        if _LIVE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(400))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """No count, engine or chore of one test reaches the next."""
    cache.clear()
    counts = get_counts()
    if isinstance(counts, FileCounts):
        counts.clear()
    get_engine.cache_clear()
    Chosen.reset()
    yield
    get_engine.cache_clear()


@pytest.fixture
def engine() -> WordEngine:
    """The engine behind the site in this process."""
    metered = get_engine()
    assert isinstance(metered, MeteredEngine)
    inner = metered._inner
    assert isinstance(inner, WordEngine)
    return inner


@pytest.fixture
def person(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


@pytest.fixture
def stranger(db: None) -> User:
    return User.objects.create_user("eve", password=PASSWORD)


@pytest.fixture
def api(person: User) -> Client:
    """Ada's program: a client with her API key."""
    return client_of(person)


@pytest.fixture
def other_api(stranger: User) -> Client:
    """Eve's program."""
    return client_of(stranger)


def client_of(user: User) -> Client:
    secret = create_key(owner=user, name="test").secret
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


@pytest.fixture
def ways_and_connections(person: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    """With requests that let go of connections, as those of a running site do."""
    shortcut._learned.clear()
    yield Ways(create_key(owner=person, name="test").secret, monkeypatch)
    shortcut._learned.clear()


@pytest.fixture
def ways(ways_and_connections: Ways, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    """In the test's own transaction, which would end with its connection."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    monkeypatch.setattr(shortcut, "close_old_connections", lambda: None)
    yield ways_and_connections
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """The real server in a process of its own, on a database of its own."""
    with LiveSite(tmp_path_factory.mktemp("site")) as site:
        yield site
