"""Sentences of reviews, labeled by an earlier stage and by the review they stand in."""

# ruff: noqa: E402 - these imports need what the lines before them check for
from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from discern_training.sentiment.bundle import shipped_bundle
from discern_training.sentiment.data import Example
from discern_training.sentiment.lessons import label, review_sentences
from discern_training.sentiment.weights import read_weights

REVIEW = (
    "It opens well.<br /><br />The first hour of this film is a joy to watch. Then it drags. "
    "By the end nobody in the room cared who had done it or why!"
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "stage-finish.pt"
    weights = read_weights(shipped_bundle() / "model.onnx")
    torch.save({key: torch.from_numpy(value.copy()) for key, value in weights.items()}, path)
    return path


def test_lessons_are_the_longer_sentences_of_a_review() -> None:
    found = review_sentences([Example(REVIEW, 0, "imdb", True)], 10, Random(1))
    assert [item.text for item in found] == [
        "The first hour of this film is a joy to watch.",
        "By the end nobody in the room cared who had done it or why!",
    ]
    assert {item.label for item in found} == {0}


def test_a_review_moves_what_the_teacher_says_and_the_undecided_are_dropped(
    stage: Path, tmp_path: Path
) -> None:
    praise, blame = "A warm, funny and moving film.", "A dull, lifeless mess of a film."
    texts = [(praise, 2), (praise, 0), (blame, 2), ("He walks to the office at nine.", 2)]
    rows = [Example(text, mood, "lesson") for text, mood in texts]
    tokenizer = shipped_bundle() / "tokenizer.json"
    found = label(rows, [stage], tokenizer, tmp_path)
    soft = [item.soft or 0.0 for item in found]
    assert [item.text for item in found[:3]] == [praise, praise, blame]
    assert soft[0] > soft[1] > 0.5 > soft[2] > 0
    assert all(item.two_class for item in found)
    kept = np.load(tmp_path / "reviews_soft-stage-finish.npy")
    assert len(kept) == len(rows)
    assert len(found) == int((abs(kept) >= 1.0).sum())
    again = label(rows, [stage], tokenizer, tmp_path)
    assert [item.soft for item in again] == [item.soft for item in found]
