"""Texts in which a person is described: who is found, what stays, and that nothing that measures
is taught."""

from __future__ import annotations

import tomllib
from pathlib import Path
from random import Random

import pytest
from discern_training.sentiment import described
from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example
from discern_training.sentiment.mix import epoch_examples

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


def test_an_epoch_describes_persons_reads_other_films_twice_and_adds_the_sentences_made() -> None:
    films = [Example("the teacher waits", 2, "sst2"), Example("a dull plot", 0, "sst2")] * 20
    stage = Stage("s", 1, mix={"sst2": 1.0}, described=1.0, persons=7, alike=1.0, damage=0.0)
    found = epoch_examples(stage, {"sst2": films}, 0, Random(3))
    persons = [each for each in found if each.source == "persons"]
    assert len(persons) == 7
    assert all(each.twin not in (None, each.text) for each in persons)
    for each in found:
        if each.text.startswith("the teacher"):
            assert each.twin is not None
            assert each.twin.startswith("the ")
            assert len(each.twin.split()) > len(each.text.split())
        elif each.source == "sst2":
            assert each.twin == each.text
    plain = Stage("s", 1, mix={"sst2": 1.0}, damage=0.0)
    assert {each.twin for each in epoch_examples(plain, {"sst2": films}, 0, Random(3))} == {None}
