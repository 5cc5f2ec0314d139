from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import BundleInvalid, ConfigurationInvalid, InferenceFailed, MissingExtra
from discern.inference.encoder import EncoderRunner
from discern.inference.loading import SingleFlight
from discern.inference.session import open_session
from tests.fakes.bundles import FOLDER

WORDS = FOLDER / "words.onnx"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def runner() -> Iterator[EncoderRunner]:
    made = EncoderRunner(WORDS, sessions=2)
    yield made
    made.close()


def expected(row: list[int]) -> list[float]:
    return [row.count(4), 0.5, row.count(3)]


@given(rows=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=40), min_size=1, max_size=50))
@settings(deadline=None, max_examples=50)
def test_each_row_gets_its_own_logits_however_it_is_batched_and_padded(
    runner: EncoderRunner, rows: list[list[int]]
) -> None:
    futures = runner.submit_many([np.array(row, dtype=np.int64) for row in rows])
    for row, future in zip(rows, futures, strict=True):
        assert future.result(PATIENCE_S).tolist() == expected(row)


def test_rows_from_many_threads_at_once_are_never_crossed(runner: EncoderRunner) -> None:
    def ask(seed: int) -> bool:
        source = np.random.default_rng(seed)
        for _ in range(40):
            row = source.integers(0, 6, size=int(source.integers(1, 30)))
            answer = runner.submit(row.astype(np.int64)).result(PATIENCE_S)
            assert answer.tolist() == expected(row.tolist())
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(8)))


def test_an_id_the_model_does_not_know_fails_alone(runner: EncoderRunner) -> None:
    rows = [[1, 3, 2], [1, 999, 2], [1, 4, 2]]
    good, bad, other = runner.submit_many([np.array(row, dtype=np.int64) for row in rows])
    assert good.result(PATIENCE_S).tolist() == [0, 0.5, 1]
    assert other.result(PATIENCE_S).tolist() == [1, 0.5, 0]
    with pytest.raises(InferenceFailed) as caught:
        bad.result(PATIENCE_S)
    assert caught.value.__cause__ is not None


def test_several_threads_for_each_batch_give_the_same_answers() -> None:
    made = EncoderRunner(WORDS, sessions=1, threads=2)
    assert made.submit(np.array([1, 3, 3, 2])).result(PATIENCE_S).tolist() == [0, 0.5, 2]
    assert made.stats().done == 1
    made.close()


def test_a_session_names_its_tensors_with_the_open_dimensions_as_minus_one() -> None:
    session = open_session(WORDS)
    assert [(info.name, info.dtype, info.shape) for info in session.inputs] == [
        ("input_ids", "int64", (-1, -1)),
        ("attention_mask", "int64", (-1, -1)),
    ]
    assert [(info.name, info.dtype, info.shape) for info in session.outputs] == [
        ("logits", "float32", (-1, 3))
    ]


def test_a_file_that_is_not_a_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(BundleInvalid):
        open_session(broken)
    with pytest.raises(BundleInvalid):
        open_session(tmp_path / "missing.onnx")


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(ConfigurationInvalid):
        open_session(WORDS, threads=0)
    with pytest.raises(ConfigurationInvalid):
        open_session(WORDS, provider="tpu")  # type: ignore[arg-type]


def test_a_processor_this_runtime_lacks_names_the_extra() -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this runtime can use CUDA")
    with pytest.raises(MissingExtra, match="gpu"):
        open_session(WORDS, provider="cuda")


def test_many_who_ask_for_the_same_load_share_one() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    begun, release = threading.Event(), threading.Event()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        begun.set()
        assert release.wait(PATIENCE_S)
        return 42

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(flights.do, "model", work)
        assert begun.wait(PATIENCE_S)
        others = [pool.submit(flights.do, "model", work) for _ in range(3)]
        assert flights.do("another", lambda: 7) == 7
        while not all(other.running() for other in others):
            pass
        release.set()
        answers = [future.result(PATIENCE_S) for future in [first, *others]]
    assert answers == [42] * 4
    assert len(calls) <= 2  # a thread may come only after the first flight has landed


def test_a_load_that_fails_is_tried_again_by_the_next_caller() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    def fail() -> int:
        raise BundleInvalid("broken")

    with pytest.raises(BundleInvalid):
        flights.do("model", fail)
    assert flights.do("model", lambda: 1) == 1
