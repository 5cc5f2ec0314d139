from __future__ import annotations

import socket
from typing import Any

import pytest

from discern import pipeline
from discern.engine.local import LocalEngine
from discern.engine.remote import RemoteEngine
from discern.errors import EmptyInput, EngineUnreachable, InvalidInput, ModelNotFound
from discern.text.contract import TIMELY_CHARS
from tests.fakes.engine import WordEngine


@pytest.fixture
def moods() -> Any:
    return pipeline("sentiment-analysis", engine=WordEngine())


def test_a_text_gives_a_list_of_one_dict_as_the_original_does(moods: Any) -> None:
    [answer] = moods("good good")
    assert set(answer) == {"label", "score"}
    assert answer["label"] == "POSITIVE"
    assert isinstance(answer["score"], float)


def test_a_list_gives_one_dict_for_each_in_order(moods: Any) -> None:
    answers = moods(["good good", "bad bad"])
    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE"]


def test_many_long_texts_are_asked_for_in_calls_that_are_answered_in_time() -> None:
    engine = WordEngine()
    texts = ["good " * 12_000, "bad " * 15_000] * 5
    answers = pipeline("sentiment-analysis", engine=engine)(texts)
    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEGATIVE"] * 5
    sizes = [sum(map(len, call)) for call in engine.calls]
    assert max(sizes) <= TIMELY_CHARS < sum(sizes)


def test_an_iterator_gives_an_iterator(moods: Any) -> None:
    answers = moods(text for text in ("good good", "bad bad"))
    assert next(answers)["label"] == "POSITIVE"
    assert next(answers)["label"] == "NEGATIVE"
    assert next(answers, None) is None


def test_top_k_in_the_call_gives_the_best_first(moods: Any) -> None:
    answers = moods("good good", top_k=2)
    assert [answer["label"] for answer in answers] == ["POSITIVE", "NEUTRAL"]
    assert answers[0]["score"] > answers[1]["score"]
    assert [len(row) for row in moods(["good", "bad"], top_k=None)] == [3, 3]


def test_top_k_given_to_pipeline_wraps_the_answer_to_one_text_once_more() -> None:
    moods = pipeline("text-classification", engine=WordEngine(), top_k=None)
    [[*answers]] = moods("good")
    assert sum(answer["score"] for answer in answers) == pytest.approx(1)


def test_a_dict_with_a_text_is_read_as_that_text(moods: Any) -> None:
    assert moods({"text": "bad bad"})[0]["label"] == "NEGATIVE"


def test_options_that_tune_the_original_are_accepted(moods: Any) -> None:
    assert moods("good", truncation=True, padding=True, max_length=512, batch_size=8)
    assert pipeline("sentiment-analysis", engine=WordEngine(), device=-1)("good")


@pytest.mark.parametrize(
    "inputs", [3, None, b"good", bytearray(b"good"), ["good", 3], [["good"]], {"texts": "good"}]
)
def test_what_is_not_text_is_refused(moods: Any, inputs: object) -> None:
    with pytest.raises(InvalidInput):
        moods(inputs)


def test_a_blank_text_has_no_mood(moods: Any) -> None:
    with pytest.raises(EmptyInput):
        moods(" ")


@pytest.mark.parametrize("top_k", [0, -1, 1.5, True, "2"])
def test_an_impossible_top_k_is_refused(moods: Any, top_k: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        moods("good", top_k=top_k)
    assert caught.value.field == "top_k"


def test_an_unknown_task_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="sentiment-analysis"):
        pipeline("translation")


@pytest.mark.parametrize(
    ("task", "model", "known"),
    [
        ("sentiment-analysis", "nope", "sentiment-en"),
        ("text-classification", "yolox-s", "sentiment-en"),
        ("object-detection", "nope", "yolox-s"),
        ("object-detection", "sentiment-en", "yolox-s"),
    ],
)
def test_a_model_that_is_not_there_is_refused_before_the_first_call(
    task: str, model: str, known: str
) -> None:
    with pytest.raises(ModelNotFound, match=f"'{model}'.*known: .*{known}") as caught:
        pipeline(task, model=model)
    assert caught.value.field == "model"


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("sentiment-analysis", None),
        ("sentiment-analysis", "sentiment-en"),
        ("object-detection", None),
        ("object-detection", "nanodet-m"),
    ],
)
def test_a_model_that_can_be_had_is_not_loaded_before_the_first_call(
    task: str, model: str | None
) -> None:
    engine = LocalEngine()
    assert pipeline(task, model=model, engine=engine).task == task
    assert engine.residents.loaded() == []


def test_a_given_engine_says_which_models_there_are() -> None:
    assert pipeline("sentiment-analysis", model="words", engine=WordEngine())("good")
    with pytest.raises(ModelNotFound, match="known: words"):
        pipeline("sentiment-analysis", model="sentiment-en", engine=WordEngine())


def test_a_pipeline_may_be_made_before_its_model_server_runs() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        engine = RemoteEngine(f"http://127.0.0.1:{unheard.getsockname()[1]}")
        moods = pipeline("sentiment-analysis", model="sentiment-en", engine=engine)
        with pytest.raises(EngineUnreachable):
            moods("good")


def test_an_unknown_option_is_named(moods: Any) -> None:
    with pytest.raises(InvalidInput, match="temprature"):
        moods("good", temprature=2)


def test_more_texts_than_one_call_takes_are_answered_all(moods: Any) -> None:
    assert len(moods(["good"] * 2_500)) == 2_500
