from __future__ import annotations

from concurrent.futures import Future
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.errors import BundleInvalid, EmptyInput, InvalidInput, Overloaded, TooLarge
from discern.text.analyze import SentimentAnalyzer, softmax
from discern.text.calls import timely_calls
from discern.text.contract import (
    MAX_TEXT_CHARS,
    MAX_TEXTS,
    TIMELY_CHARS,
    Sentiment,
    check_text,
    check_texts,
)
from discern.text.evaluate import evaluate, expected_calibration_error
from discern.text.tokenize import WindowTokenizer
from tests.fakes.bundles import write_bundle
from tests.fakes.words import LABELS, WINDOWS, WordRunner, write_tokenizer


@pytest.fixture
def analyzer(tmp_path: Path) -> SentimentAnalyzer:
    return SentimentAnalyzer(write_bundle(tmp_path / "words"), WordRunner())


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> WindowTokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tokenizer(path)
    return WindowTokenizer(path, max_tokens=10, stride=6)


def test_a_mood_names_its_label_scores_model_and_windows(analyzer: SentimentAnalyzer) -> None:
    [mood] = analyzer.analyze(["so good good"])
    assert (mood.label, mood.windows, mood.tokens) == ("positive", 1, 3)
    assert (mood.model_name, mood.model_version) == ("words", "1.0.0")
    assert tuple(mood.scores) == LABELS
    assert sum(mood.scores.values()) == pytest.approx(1)
    assert mood.score == mood.scores["positive"] == max(mood.scores.values())


def test_answers_come_in_the_order_of_the_texts(analyzer: SentimentAnalyzer) -> None:
    moods = analyzer.analyze(["good good", "bad bad", "so so"])
    assert [mood.label for mood in moods] == ["positive", "negative", "neutral"]


def test_the_end_of_a_long_text_is_read(analyzer: SentimentAnalyzer) -> None:
    [mood] = analyzer.analyze(["so " * 40 + "bad " * 60])
    assert mood.label == "negative"
    assert mood.windows > 1
    assert mood.tokens == 100


@given(length=st.integers(1, 200))
@settings(deadline=None)
def test_windows_cover_every_token_once_by_weight_and_all_are_full(
    tokenizer: WindowTokenizer, length: int
) -> None:
    words = ["good" if index % 3 else "bad" for index in range(length)]
    [windows] = tokenizer.windows([" ".join(words)])
    assert windows.tokens == length
    room = 8
    if length > room:
        assert all(len(ids) == room + 2 for ids in windows.ids)
    expected = [3 if word == "good" else 4 for word in words]
    rebuilt: list[int] = []
    for ids, weight in zip(windows.ids, windows.weights, strict=True):
        assert (ids[0], ids[-1]) == (1, 2)
        rebuilt.extend(ids[1:-1].tolist()[-weight:] if len(windows.ids) > 1 else ids[1:-1].tolist())
    assert rebuilt == expected


def test_a_tokenizer_that_truncates_by_itself_is_made_to_read_on(
    tokenizer: WindowTokenizer,
) -> None:
    [windows] = tokenizer.windows(["good " * 50])
    assert windows.tokens == 50


def test_a_text_the_tokenizer_drops_entirely_still_has_a_mood(analyzer: SentimentAnalyzer) -> None:
    [mood] = analyzer.analyze(["\u200d"])
    assert mood.windows == 1


class FullRunner(WordRunner):
    """Takes a few windows and then is full."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.futures: list[Future[Any]] = []

    def submit(self, ids: Any, deadline: float | None = None) -> Future[Any]:
        if len(self.futures) == self.room:
            raise Overloaded("The queue is full.", retry_after_s=0.5)
        self.futures.append(Future())
        return self.futures[-1]


def test_a_full_queue_drops_the_windows_already_queued_for_the_call(tmp_path: Path) -> None:
    runner = FullRunner(room=2)
    analyzer = SentimentAnalyzer(write_bundle(tmp_path / "words"), runner)
    with pytest.raises(Overloaded):
        analyzer.analyze(["good", "bad " * 30])
    assert len(runner.futures) == 2
    assert all(future.cancelled() for future in runner.futures)


@pytest.mark.parametrize(
    ("texts", "error", "field"),
    [
        ("good", InvalidInput, "texts"),
        (None, InvalidInput, "texts"),
        ([], EmptyInput, "texts"),
        (["good", 3], InvalidInput, "texts[1]"),
        (["good", " \n\t"], EmptyInput, "texts[1]"),
        (["x" * (MAX_TEXT_CHARS + 1)], TooLarge, "texts[0]"),
        (["good"] * (MAX_TEXTS + 1), TooLarge, "texts"),
        (["x" * 99_000] * 30, TooLarge, "texts"),
        (["half \ud800 a pair"], InvalidInput, "texts[0]"),
    ],
)
def test_bad_input_names_the_item_and_the_limit(
    texts: object, error: type[InvalidInput], field: str
) -> None:
    with pytest.raises(error) as caught:
        check_texts(texts)
    assert caught.value.field == field
    if error is TooLarge:
        assert caught.value.limit
        assert f"{int(caught.value.limit):,}" in caught.value.message


@given(st.text(max_size=300))
def test_any_text_that_is_not_blank_is_accepted_as_it_is(
    text: str,
) -> None:
    if text.strip():
        assert check_text(text) == text
    else:
        with pytest.raises(EmptyInput):
            check_text(text)


@pytest.mark.parametrize(
    "preprocessing",
    [
        "max_tokens = 4",
        "max_tokens = 10\nstride = 9",
        'merge = "vote"',
        "max_tokens = true",
        "sharpen_from = 0",
        "sharpen_power = 2",
        "temperature = 0",
    ],
)
def test_a_bundle_with_impossible_windows_is_refused(tmp_path: Path, preprocessing: str) -> None:
    with pytest.raises(BundleInvalid) as caught:
        SentimentAnalyzer(write_bundle(tmp_path / "words", extra=preprocessing), WordRunner())
    assert caught.value.field == "preprocessing"


def test_much_text_is_surer_of_the_same_logits_where_the_manifest_says_so(tmp_path: Path) -> None:
    plain = SentimentAnalyzer(write_bundle(tmp_path / "plain"), WordRunner())
    keys = f"{WINDOWS}\nsharpen_from = 4\nsharpen_power = 0.5"
    sharp = SentimentAnalyzer(write_bundle(tmp_path / "sharp", extra=keys), WordRunner())
    assert sharp.analyze(["bad so so"])[0].scores == plain.analyze(["bad so so"])[0].scores
    for text in ("bad so so so so so", "bad so so so " * 20):
        [before], [after] = plain.analyze([text]), sharp.analyze([text])
        assert after.label == before.label
        assert after.score > before.score
    assert sharp.scale(16) == pytest.approx(2.0)


def test_a_temperature_in_the_manifest_makes_probabilities_more_even(tmp_path: Path) -> None:
    keys = f"{WINDOWS}\ntemperature = 2.0"
    warm = SentimentAnalyzer(write_bundle(tmp_path / "warm", extra=keys), WordRunner())
    [mood] = warm.analyze(["good good"])
    assert list(mood.scores.values()) == pytest.approx(softmax(np.array([0.0, 0.25, 1.0])))


def test_softmax_holds_for_logits_of_any_size() -> None:
    assert softmax(np.array([1e4, 0.0, -1e4])) == pytest.approx([1, 0, 0])


def mood(**scores: float) -> Sentiment:
    full = {label: scores.get(label, 0.0) for label in LABELS}
    label = max(full, key=full.__getitem__)
    return Sentiment(label, full[label], full, 1, 1, "words", "1.0.0")


def test_quality_counts_what_was_right_for_each_label() -> None:
    results = [mood(positive=0.9, negative=0.1), mood(neutral=0.8, positive=0.2)]
    results += [mood(negative=0.6, neutral=0.4), mood(positive=1.0)]
    quality = evaluate(results, ["positive", "neutral", "neutral", "negative"])
    assert quality.accuracy == 0.5
    assert quality.recall == {"negative": 0.0, "neutral": 0.5, "positive": 1.0}
    assert quality.macro_recall == pytest.approx(0.5)
    assert quality.confusion == ((0, 0, 1), (1, 1, 0), (0, 0, 1))


def test_a_truth_without_neutral_is_judged_on_the_two_classes_it_has() -> None:
    quality = evaluate(
        [mood(neutral=0.8, positive=0.15, negative=0.05), mood(neutral=0.9, negative=0.1)],
        ["positive", "negative"],
    )
    assert quality.labels == ("negative", "positive")
    assert quality.accuracy == 1.0
    assert quality.expected_calibration_error == pytest.approx((0.25 + 0.0) / 2)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    scores = np.array([[0.8, 0.2]] * 10)
    true = np.array([0] * 6 + [1] * 4)
    assert expected_calibration_error(scores, true) == pytest.approx(0.2)


def test_a_label_the_model_does_not_know_names_its_row() -> None:
    with pytest.raises(InvalidInput, match="Row 2: 'happy'"):
        evaluate([mood(positive=1.0)] * 2, ["positive", "happy"])


@given(st.lists(st.integers(0, 2 * TIMELY_CHARS)), st.integers(1, 5))
def test_texts_are_cut_into_calls_in_order_and_no_call_is_over_a_limit(
    sizes: list[int], most: int
) -> None:
    calls = list(timely_calls(sizes, lambda size: size, most))
    assert [size for call in calls for size in call] == sizes
    assert all(0 < len(call) <= most for call in calls)
    assert all(sum(call) <= TIMELY_CHARS or len(call) == 1 for call in calls)
    # None could have held the next one too.
    for call, after in pairwise(calls):
        assert len(call) == most or sum(call) + after[0] > TIMELY_CHARS
