"""One running Discern for all tests of the doors, and homes of model servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from discern.catalog.store import Store
from tests.fakes.bundles import sentiment_store
from tests.services import free_port
from tests.stack import Stack

TOKEN = "a token for the tests of the doors"


@dataclass(frozen=True, slots=True)
class Doors:
    """Clients of a running site and of its model server."""

    stack: Stack
    web: httpx.Client
    model_server: httpx.Client


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {
        "DISCERN_MODEL_SERVER_PORT": str(free_port()),
        "DISCERN_MODEL_SERVER_TOKEN": TOKEN,
    }
    with Stack(tmp_path_factory.mktemp("doors"), settings=settings) as stack:
        yield stack


@pytest.fixture(scope="session")
def doors(stack: Stack) -> Iterator[Doors]:
    key = stack.command("key", "create", stack.sign_in()[0]).split()[-1]
    port = stack.settings["DISCERN_MODEL_SERVER_PORT"]
    with (
        httpx.Client(
            base_url=stack.address, headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as web,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60,
        ) as model_server,
    ):
        yield Doors(stack, web, model_server)


@pytest.fixture
def slow_home(tmp_path: Path) -> Path:
    sentiment_store(tmp_path, slow=True)
    Store(tmp_path).activate("words")
    return tmp_path


@pytest.fixture
def quick_home(tmp_path: Path) -> Path:
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    return tmp_path
