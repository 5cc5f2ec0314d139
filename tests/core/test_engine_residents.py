"""Models in memory, loaded and unloaded by several callers at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from discern.catalog.manifest import Bundle
from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK
from discern.engine.options import EngineOptions
from discern.engine.residents import Loaded, Residents, key_of
from discern.errors import BundleInvalid, ModelNotFound, Overloaded
from discern.inference.contract import BatcherStats
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle


class Model:
    """A loaded model that says what it is told to."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.done = 0
        self.fault: Exception | None = None
        self.closed = False

    def canary(self, deadline: float | None = None) -> None:
        if self.fault is not None:
            raise self.fault
        self.done += 1

    def stats(self) -> BatcherStats:
        return BatcherStats(1, 0, 0, 0, 0.0, self.done, self.done, 0, 0, 0, 0)

    def close(self, *, drain: bool = False) -> None:
        self.closed = True


class Bench:
    """Residents of such models, in two versions."""

    def __init__(self, home: Path) -> None:
        self.store: Store = sentiment_store(home)
        write_sentiment_bundle(home / "models/words/2.0.0", version="2.0.0")
        self.made: list[Model] = []
        self.fault: Exception | None = None
        self.residents = Residents(self.store, {SENTIMENT_TASK: self._make}, EngineOptions())

    def _make(self, bundle: Bundle, options: EngineOptions) -> Loaded:
        model = Model(bundle)
        model.fault = self.fault
        self.made.append(model)
        return model


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_of_two_versions_loaded_at_once_one_is_left_and_it_answers(
    bench: Bench, hasty_threads: None
) -> None:
    bundles = {key_of(bundle)[1]: bundle for bundle in bench.store.bundles()}
    together = threading.Barrier(2)

    def load(version: str) -> None:
        together.wait()
        bench.residents.load("words", version)

    bench.store.find = lambda name, version=None: bundles[version or "2.0.0"]  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as threads:
        for _ in range(300):
            list(threads.map(load, ["1.0.0", "2.0.0"]))
            [left] = bench.residents.loaded()
            assert bench.residents.peek(SENTIMENT_TASK) is left
            assert [model for model in bench.made if not model.closed] == [left]
            bench.residents.unload("words")
            bench.made.clear()


def test_a_model_that_answers_again_is_no_longer_called_failed(bench: Bench) -> None:
    bench.residents.load("words", "1.0.0")
    [model] = bench.made
    key = key_of(model.bundle)
    bench.residents._residents[key].well_at = float("-inf")
    model.fault = Overloaded("The queue is full.")
    assert not bench.residents.well(key)
    states = {(info.name, info.version): info.state for info in bench.residents.infos()}
    assert states[key] == "failed"
    model.done += 1  # as somebody's request did
    assert bench.residents.well(key)
    states = {(info.name, info.version): info.state for info in bench.residents.infos()}
    assert states[key] == "ready"


def test_a_model_that_fails_in_a_way_nobody_foresaw_is_failed_and_says_so(bench: Bench) -> None:
    bench.fault = RuntimeError("no such word")
    with pytest.raises(BundleInvalid, match="no such word"):
        bench.residents.load("words", "1.0.0")
    [info] = [info for info in bench.residents.infos() if info.version == "1.0.0"]
    assert (info.state, "no such word" in (info.reason or "")) == ("failed", True)
    assert bench.made[0].closed
    bench.fault = None
    bench.residents.load("words", "1.0.0")


def test_a_refresh_beside_an_unload_ends_without_an_error(bench: Bench) -> None:
    residents = bench.residents
    bench.store.activate("words", "1.0.0")
    residents.refresh(SENTIMENT_TASK)
    [former] = bench.made
    residents._residents.pop(key_of(former.bundle))  # an unload has come so far
    bench.store.activate("words", "2.0.0")
    assert key_of(residents.refresh(SENTIMENT_TASK).bundle) == ("words", "2.0.0")
    with pytest.raises(ModelNotFound):
        residents.unload("words", "1.0.0")
