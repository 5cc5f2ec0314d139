"""Texts in which a person is described: who is found, what stays, and that nothing that measures
is taught."""

from __future__ import annotations

import tomllib
from pathlib import Path
from random import Random

import pytest
from discern_training.sentiment import described

LEXICON = Path(described.__file__).parent / "lexicon"


def test_a_person_gets_a_word_and_everything_else_stays() -> None:
    text = "This film is about the teacher, who hated it."
    found = described.describe(text, Random(1))
    assert found is not None
    before, after = text.split("the teacher")
    word = found[len(before) + len("the ") : -len(after) - len(" teacher")]
    assert found == f"{before}the {word} teacher{after}"
    assert word in described.words()


@pytest.mark.parametrize("text", ["The plot is thin.", "A manly effort", "the man's car", ""])
def test_a_text_that_speaks_of_nobody_has_no_twin(text: str) -> None:
    assert described.describe(text, Random(1)) is None


def test_the_article_goes_with_the_word_that_follows_it() -> None:
    texts = {described.describe("A man waits", Random(seed)) for seed in range(400)}
    assert {"A one-armed man waits", "An obese man waits", "A bearded man waits"} <= texts


def test_no_word_that_the_judge_measures_is_taught() -> None:
    judge = tomllib.loads((LEXICON / "judge.toml").read_text(encoding="utf-8"))
    measured = {
        word.lower()
        for table in judge.values()
        for name, words in table.items()
        if name != "sentences"
        for word in words
    }
    assert not measured & {word.lower() for word in described.words()}


def test_sentences_made_differ_from_their_twins_in_the_word_alone() -> None:
    for example in described.examples(200, Random(2)):
        assert example.twin is not None
        first, second = example.text.split(), example.twin.split()
        differ = [(a, b) for a, b in zip(first, second, strict=True) if a != b]
        differ = [pair for pair in differ if {word.lower() for word in pair} != {"a", "an"}]
        assert len(differ) == 1
        assert not {"{", "["} & set(example.text)
