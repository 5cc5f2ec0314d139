"""Which model answers when another is activated while one is being loaded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from discern.catalog.manifest import Bundle
from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK
from discern.engine.options import EngineOptions
from discern.engine.residents import Loaded, Residents
from discern.engine.sentiment import LoadedSentiment
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle

PATIENCE_S = 30.0


@dataclass
class HeldLoader:
    """Loads real models; of the version ``held`` it waits until it is let go."""

    held: str
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, bundle: Bundle, options: EngineOptions) -> Loaded:
        if bundle.manifest.version == self.held:
            self.begun.set()
            assert self.go.wait(PATIENCE_S)
        return LoadedSentiment(bundle, options)


def store_of_two(home: Path) -> Store:
    store = sentiment_store(home)
    write_sentiment_bundle(home / "models" / "words" / "2.0.0", version="2.0.0")
    store.activate("words", "1.0.0")
    return store


def made_of(store: Store, loader: HeldLoader) -> Residents:
    return Residents(store, {SENTIMENT_TASK: loader}, EngineOptions())


def versions(residents: Residents) -> list[str]:
    return [loaded.bundle.manifest.version for loaded in residents.loaded()]


def test_a_model_that_was_rolled_back_while_it_loaded_does_not_take_over(tmp_path: Path) -> None:
    store, loader = store_of_two(tmp_path), HeldLoader("2.0.0")
    residents = made_of(store, loader)
    residents.get(SENTIMENT_TASK)
    store.activate("words", "2.0.0")
    late = threading.Thread(target=residents.refresh, args=(SENTIMENT_TASK,))
    late.start()
    assert loader.begun.wait(PATIENCE_S)
    store.rollback(SENTIMENT_TASK)
    residents.refresh(SENTIMENT_TASK)
    loader.go.set()
    late.join(PATIENCE_S)
    answering = residents.peek(SENTIMENT_TASK)
    assert answering is not None
    assert answering.bundle.manifest.version == "1.0.0"
    assert versions(residents) == ["1.0.0"]
    residents.close()


def test_a_model_activated_while_the_first_call_loads_another_is_the_one_that_answers(
    tmp_path: Path,
) -> None:
    store, loader = store_of_two(tmp_path), HeldLoader("1.0.0")
    residents = made_of(store, loader)
    first = threading.Thread(target=residents.get, args=(SENTIMENT_TASK,))
    first.start()
    assert loader.begun.wait(PATIENCE_S)
    assert residents.active_tasks() == []  # so that nobody is told to refresh this task
    store.activate("words", "2.0.0")
    loader.go.set()
    first.join(PATIENCE_S)
    assert residents.get(SENTIMENT_TASK).bundle.manifest.version == "2.0.0"
    assert versions(residents) == ["2.0.0"]
    residents.close()


def test_a_model_that_was_asked_for_by_name_stays_when_another_is_activated(tmp_path: Path) -> None:
    store, loader = store_of_two(tmp_path), HeldLoader("none")
    write_sentiment_bundle(tmp_path / "models" / "other" / "1.0.0", name="other")
    residents = made_of(store, loader)
    residents.load("words", "1.0.0")
    residents.get(SENTIMENT_TASK)
    store.activate("other")
    residents.refresh(SENTIMENT_TASK)
    assert residents.peek_any("words", "1.0.0") is not None
    residents.unload("words", "1.0.0")
    store.activate("words", "2.0.0")
    residents.refresh(SENTIMENT_TASK)
    assert versions(residents) == ["2.0.0"]
    residents.close()


def test_of_a_name_asked_for_the_newer_version_alone_stays(tmp_path: Path) -> None:
    store, loader = store_of_two(tmp_path), HeldLoader("none")
    residents = made_of(store, loader)
    residents.load("words")
    assert versions(residents) == ["2.0.0"]
    store.activate("words", "1.0.0")
    residents.refresh(SENTIMENT_TASK)
    assert versions(residents) == ["1.0.0"]
    residents.close()
