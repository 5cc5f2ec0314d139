from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK, Engine
from discern.engine.local import LocalEngine
from discern.engine.options import EngineOptions
from discern.engine.sentiment import MAX_TOKENS_UNDER_WAY, SLICE_CHARS, SLICE_TEXTS, slices
from discern.errors import (
    BundleInvalid,
    DeadlineExceeded,
    DiscernError,
    Draining,
    EmptyInput,
    ModelNotFound,
    Overloaded,
    Unavailable,
)
from discern.inference.contract import BatchLimits, BatchRecord
from discern.text.contract import Sentiment
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle

PATIENCE_S = 30.0


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    made = LocalEngine(sentiment_store(tmp_path))
    yield made
    made.close()


def slow_engine(tmp_path: Path, **limits: float) -> LocalEngine:
    options = EngineOptions(sessions=1, limits=BatchLimits(**limits))  # type: ignore[arg-type]
    made = LocalEngine(sentiment_store(tmp_path, slow=True), options=options)
    made.sentiment()
    return made


def test_it_is_an_engine(engine: LocalEngine) -> None:
    assert isinstance(engine, Engine)


def test_moods_come_in_order_with_the_models_name(engine: LocalEngine) -> None:
    moods = engine.analyze(["good good good", "bad bad bad", "so"])
    assert [mood.label for mood in moods] == ["positive", "negative", "neutral"]
    assert {(mood.model_name, mood.model_version) for mood in moods} == {("words", "1.0.0")}


def test_a_thousand_long_texts_go_through_a_queue_shorter_than_they_are(tmp_path: Path) -> None:
    options = EngineOptions(limits=BatchLimits(max_queue_items=64))
    engine = LocalEngine(sentiment_store(tmp_path), options=options)
    texts = ["good " * (index % 90 + 1) if index % 2 else "bad " * 50 for index in range(1000)]
    moods = engine.analyze(texts)
    labels = ["positive" if index % 2 else "negative" for index in range(1000)]
    assert [mood.label for mood in moods] == labels
    assert [mood.tokens for mood in moods] == [len(text.split()) for text in texts]
    engine.close()


@pytest.mark.parametrize("texts", [["good " * 15_000], ["good bad " * 60] * 200])
def test_one_call_leaves_the_queue_to_others_however_long_it_is(
    tmp_path: Path, texts: list[str]
) -> None:
    engine = LocalEngine(sentiment_store(tmp_path))
    loaded = engine.sentiment()
    queued = []
    for waited_for in loaded.steps(texts):
        queued.append(loaded.stats().queued_cost)
        waited_for.exception()
    assert len(queued) > 10
    assert max(queued) <= MAX_TOKENS_UNDER_WAY
    assert len(engine.analyze(texts)) == len(texts)
    engine.close()


def test_many_threads_share_one_load_and_get_their_own_answers(tmp_path: Path) -> None:
    engine = LocalEngine(sentiment_store(tmp_path))
    words = ["good good", "bad bad", "so"]

    def ask(index: int) -> bool:
        return engine.analyze([words[index % 3]] * 5)[4].tokens == len(words[index % 3].split())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))
    assert len(engine.residents.loaded()) == 1
    engine.close()


def test_a_model_can_be_named_and_an_unknown_name_lists_the_known(engine: LocalEngine) -> None:
    assert engine.analyze(["good"], model="words")[0].model_name == "words"
    with pytest.raises(ModelNotFound, match="words"):
        engine.analyze(["good"], model="nope")


def test_bad_texts_are_refused_before_any_model_is_loaded(tmp_path: Path) -> None:
    engine = LocalEngine(Store(tmp_path, shipped=tmp_path / "none"))
    with pytest.raises(EmptyInput):
        engine.analyze([" "])
    with pytest.raises(ModelNotFound):
        engine.analyze(["good"])


def test_readiness_needs_a_model_that_answers(tmp_path: Path) -> None:
    empty = LocalEngine(Store(tmp_path / "empty", shipped=tmp_path / "none"))
    assert not empty.ready()
    engine = LocalEngine(sentiment_store(tmp_path))
    assert engine.ready()
    assert [info.state for info in engine.models() if info.task == SENTIMENT_TASK] == ["ready"]
    engine.close()
    assert not engine.ready()


def test_without_required_tasks_nothing_vouches_for_readiness(tmp_path: Path) -> None:
    assert not LocalEngine(sentiment_store(tmp_path), required=()).ready()


def test_a_model_whose_canary_fails_is_not_ready_and_says_why(tmp_path: Path) -> None:
    store = sentiment_store(tmp_path)
    # A tokenizer that gives ids the model does not know: everything loads, nothing answers.
    folder = tmp_path / "models" / "words" / "1.0.0"
    text = (folder / "tokenizer.json").read_text().replace('"[CLS]":1', '"[CLS]":77')
    text = text.replace('"[CLS]": 1', '"[CLS]": 77')
    (folder / "tokenizer.json").write_text(text)
    rewritten = (folder / "manifest.toml").read_text().splitlines()
    at = next(i for i, line in enumerate(rewritten) if "tokenizer.json" in line) + 1
    rewritten[at] = f"bytes = {len(text.encode())}"
    (folder / "manifest.toml").write_text("\n".join(rewritten))
    engine = LocalEngine(store)
    assert not engine.ready()
    [info] = [info for info in engine.models() if info.name == "words"]
    assert info.state == "failed"
    assert info.reason
    engine.close()


def test_a_deadline_that_passes_while_waiting_ends_the_call_and_its_work(tmp_path: Path) -> None:
    engine = slow_engine(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(engine.analyze, ["good"] * 30)
        with pytest.raises(DeadlineExceeded):
            engine.analyze(["bad"] * 200, deadline_s=0.05)
        assert len(busy.result(PATIENCE_S)) == 30
    stats = engine.sentiment().stats()
    assert stats.queued_items == 0
    assert stats.done < 230
    engine.close()


def test_a_deadline_already_past_runs_nothing(engine: LocalEngine) -> None:
    engine.sentiment()
    done = engine.sentiment().stats().done
    with pytest.raises(DeadlineExceeded):
        engine.analyze(["good"], deadline_s=0.0)
    assert engine.sentiment().stats().done == done


def test_a_full_queue_refuses_and_recovers(tmp_path: Path) -> None:
    engine = slow_engine(tmp_path, max_queue_items=4)
    pauses: list[float | None] = []

    def ask(_: int) -> int:
        try:
            return len(engine.analyze(["good"]))
        except Overloaded as error:
            pauses.append(error.retry_after_s)
            return 0

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(ask, range(40)))
    assert pauses
    assert all(pauses)
    assert sum(answers) >= 4
    assert len(engine.analyze(["good"])) == 1
    engine.close()


def test_what_waited_much_longer_than_foreseen_is_refused_as_overloaded(tmp_path: Path) -> None:
    engine = slow_engine(tmp_path, max_wait_s=0.1, max_batch_items=1)
    runner = engine.sentiment().runner

    def refused() -> Overloaded | None:
        runner._batcher._cost_per_second = 1e9  # a machine that has become much slower since
        with suppress(Overloaded):
            for _ in range(2_000):
                runner.submit(np.array([1, 3, 2]))
        try:
            engine.analyze(["good"])
        except Overloaded as error:
            return error if "longer than was foreseen" in error.message else None
        return None

    # On a busy machine the workers may be through before the question comes.
    found = next((error for error in (refused() for _ in range(50)) if error), None)
    assert found is not None
    assert found.retry_after_s
    assert runner.stats().refused
    engine.close()


def test_a_newer_version_takes_over_without_a_failed_call(tmp_path: Path) -> None:
    store = sentiment_store(tmp_path)
    engine = LocalEngine(store)
    engine.sentiment()
    versions: set[str] = set()
    failures: list[DiscernError] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                versions.update(mood.model_version for mood in engine.analyze(["good"] * 40))
            except DiscernError as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    write_sentiment_bundle(tmp_path / "models" / "words" / "1.1.0", version="1.1.0")
    store.activate("words", "1.1.0")
    engine.residents.refresh(SENTIMENT_TASK)
    _until(lambda: "1.1.0" in versions)
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not failures
    assert [loaded.bundle.manifest.version for loaded in engine.residents.loaded()] == ["1.1.0"]
    engine.close()


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(tmp_path: Path) -> None:
    store = sentiment_store(tmp_path)
    engine = LocalEngine(store)
    engine.sentiment()
    broken = write_sentiment_bundle(tmp_path / "models" / "words" / "2.0.0", version="2.0.0")
    model = broken.folder / "model.onnx"
    store.activate("words", "2.0.0")
    model.write_bytes(b"\0" * model.stat().st_size)
    with pytest.raises(BundleInvalid):
        engine.residents.refresh(SENTIMENT_TASK)
    assert engine.analyze(["good"])[0].model_version == "1.0.0"
    engine.close()


def test_unloading_lets_go_and_a_later_call_loads_again(engine: LocalEngine) -> None:
    engine.analyze(["good"])
    engine.residents.unload("words")
    assert engine.residents.loaded() == []
    with pytest.raises(ModelNotFound):
        engine.residents.unload("words")
    assert engine.analyze(["good"])[0].label == "positive"


def test_a_closed_engine_refuses_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    engine = LocalEngine(sentiment_store(tmp_path))
    loaded = engine.sentiment()
    engine.close()
    engine.close()
    with pytest.raises(Unavailable):
        engine.analyze(["good"])
    with pytest.raises(Draining):
        loaded.analyze(["good"])


def test_a_with_block_closes_the_engine_at_its_end(tmp_path: Path) -> None:
    with LocalEngine(sentiment_store(tmp_path)) as engine:
        assert engine.analyze(["good"])[0].label == "positive"
    with pytest.raises(Unavailable):
        engine.analyze(["good"])


def test_every_batch_is_told_with_the_models_name(tmp_path: Path) -> None:
    told: list[tuple[str, str, BatchRecord]] = []
    options = EngineOptions(observe=lambda *args: told.append(args))
    engine = LocalEngine(sentiment_store(tmp_path), options=options)
    engine.analyze(["good"] * 10)
    engine.close()
    assert {(name, version) for name, version, _ in told} == {("words", "1.0.0")}
    assert sum(record.items for *_, record in told) > 10  # the canary's are among them


def test_slices_hold_every_text_once_in_order_within_their_bounds() -> None:
    texts = ["x" * (index * 37 % 9000) for index in range(300)]
    parts = list(slices(texts))
    assert [text for part in parts for text in part] == texts
    assert all(len(part) <= SLICE_TEXTS for part in parts)
    assert all(len(part) == 1 or sum(map(len, part)) <= SLICE_CHARS for part in parts)


def test_a_bundle_without_its_model_file_is_refused(tmp_path: Path) -> None:
    store = sentiment_store(tmp_path)
    shutil.move(tmp_path / "models/words/1.0.0/model.onnx", tmp_path / "elsewhere")
    with pytest.raises(DiscernError):
        LocalEngine(store).analyze(["good"])


def _until(condition: object) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.005)


def asked(engine: LocalEngine, text: str, deadline: float | None = None) -> Sentiment:
    done = threading.Event()
    question = engine.sentiment().ask(text, deadline, done.set)
    assert question is not None
    try:
        assert done.wait(PATIENCE_S)
        return question.mood()
    finally:
        question.close()


def test_a_question_has_the_answer_that_a_call_has(engine: LocalEngine) -> None:
    for text in ("good good", "bad", "so"):
        assert [asked(engine, text)] == engine.analyze([text])


def test_a_question_of_several_windows_is_not_taken(engine: LocalEngine) -> None:
    assert engine.sentiment().ask("good " * 2_000, None, lambda: None) is None
    assert engine.sentiment()._calls == 0


def test_a_question_is_not_taken_after_its_deadline_nor_by_a_full_queue_nor_a_closed_model(
    tmp_path: Path,
) -> None:
    engine = slow_engine(tmp_path, max_queue_items=1, max_batch_items=1)
    model = engine.sentiment()
    assert model.ask("good", time.monotonic(), lambda: None) is None
    questions = [question for _ in range(8) if (question := model.ask("good", None, lambda: None))]
    assert 1 <= len(questions) < 8
    assert model.stats().refused == 0
    for question in questions:
        question.close()
    assert model._calls == 0
    engine.close()
    assert model.ask("good", None, lambda: None) is None


def test_a_question_that_was_closed_is_not_run(tmp_path: Path) -> None:
    engine = slow_engine(tmp_path, max_batch_items=1)
    model = engine.sentiment()
    told: list[int] = []
    questions = [model.ask("good", None, lambda n=n: told.append(n)) for n in range(6)]  # type: ignore[misc]
    for question in questions[2:]:
        assert question is not None
        question.close()
    asked(engine, "bad")
    assert set(told) <= {0, 1}
    assert model.stats().cancelled == 4
    engine.close()
