"""One contract, run over both carriers: a caller cannot tell a local engine from a remote one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from discern.catalog.store import Store
from discern.engine.interface import Engine
from discern.engine.local import LocalEngine
from discern.engine.remote import RemoteEngine
from discern.errors import (
    DeadlineExceeded,
    DiscernError,
    EmptyInput,
    InvalidInput,
    ModelNotFound,
    TooLarge,
    Unauthorized,
)
from discern.text.contract import MAX_TEXT_CHARS, MAX_TEXTS
from tests.doors.inputs import GOOD_TEXTS
from tests.doors.servers import RunningServer, model_server
from tests.fakes.bundles import sentiment_store

TOKEN = "a-token-for-the-tests"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    sentiment_store(folder)
    Store(folder).activate("words")
    return folder


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[RunningServer]:
    with model_server(home, token=TOKEN) as running:
        yield running


@pytest.fixture(scope="module")
def local(home: Path) -> Iterator[Engine]:
    engine = LocalEngine(Store(home))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def remote(server: RunningServer) -> Iterator[Engine]:
    engine = RemoteEngine(server.url, token=TOKEN)
    yield engine
    engine.close()


@pytest.fixture(params=["local", "remote"])
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.getfixturevalue(request.param)
    return found


def test_both_give_the_same_moods(local: Engine, remote: Engine) -> None:
    texts = [*GOOD_TEXTS, *(["good"] * 200)]
    assert local.analyze(texts) == remote.analyze(texts)


def test_both_are_ready_and_know_the_model(engine: Engine) -> None:
    assert engine.ready()
    states = {(info.name, info.version): info.state for info in engine.models()}
    assert states["words", "1.0.0"] == "ready"


@pytest.mark.parametrize(
    ("texts", "error", "field"),
    [
        ([], EmptyInput, "texts"),
        ([" "], EmptyInput, "texts[0]"),
        (["good", 3], InvalidInput, "texts[1]"),
        ("good", InvalidInput, "texts"),
        (["x" * (MAX_TEXT_CHARS + 1)], TooLarge, "texts[0]"),
        (["x"] * (MAX_TEXTS + 1), TooLarge, "texts"),
    ],
)
def test_both_refuse_bad_texts_alike(
    engine: Engine, texts: list[str], error: type[DiscernError], field: str
) -> None:
    with pytest.raises(error) as caught:
        engine.analyze(texts)
    assert caught.value.field == field


def test_both_say_which_model_is_missing(engine: Engine) -> None:
    with pytest.raises(ModelNotFound) as caught:
        engine.analyze(["good"], model="nope")
    assert caught.value.field == "model"
    assert "nope" in caught.value.message


def test_both_keep_a_deadline(engine: Engine) -> None:
    with pytest.raises(DeadlineExceeded):
        engine.analyze(["good"], deadline_s=0)


def test_both_carry_the_largest_call(engine: Engine) -> None:
    texts = ["good bad so \U0001f44d " * 140] * MAX_TEXTS
    assert len(engine.analyze(texts[:600])) == 600


def test_a_wrong_token_is_unauthorized(server: RunningServer) -> None:
    engine = RemoteEngine(server.url, token="another-token-here")
    with pytest.raises(Unauthorized):
        engine.analyze(["good"])
    engine.close()
