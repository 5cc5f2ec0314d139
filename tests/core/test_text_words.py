"""Ids put together word by word are those of the tokenizer reading the whole text."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import discern.catalog
from discern.text.normalize import normalize
from discern.text.words import MOST_NEW, Words

SHIPPED = Path(discern.catalog.__file__).parent / "bundles/sentiment-en/tokenizer.json"
MARKS = "!\"#$%&'()*+,-./:;<=>?@\\]^`{|}~[_"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(SHIPPED))


def whole(tokenizer: Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def hostile_texts(tokenizer: Tokenizer, count: int) -> Iterator[str]:
    """Words of the vocabulary, phrases with tokens of their own, nonsense and marks, some of them
    run together."""
    source = random.Random(3)
    vocabulary = sorted(tokenizer.get_vocab())
    added = sorted(token.content for token in tokenizer.get_added_tokens_decoder().values())
    for _ in range(count):
        words = []
        for _ in range(source.randint(1, 12)):
            nonsense = "".join(source.choices("abcXYZ019'-_", k=source.randint(1, 9)))
            word = source.choice([source.choice(vocabulary), source.choice(added), nonsense])
            if source.random() < 0.3:
                word += source.choice(MARKS)
            words.append(source.choice([word, word, word.upper(), word.capitalize()]))
        yield normalize(source.choice([" ", " ", " ", ""]).join(words))


def test_word_by_word_gives_the_same_ids_as_the_whole_text(tokenizer: Tokenizer) -> None:
    words, apart = Words(tokenizer), 0
    for text in hostile_texts(tokenizer, 6_000):
        ids = words.ids(text)
        if ids is not None:
            apart += 1
            assert ids == whole(tokenizer, text), text
    assert apart > 500


def test_plain_texts_are_read_apart_once_their_words_are_known(tokenizer: Tokenizer) -> None:
    words = Words(tokenizer)
    text = "The room was warm, and the staff weren't rude at all: 10 of 10!"
    for _ in range(4):
        ids = words.ids(text)
    assert ids == whole(tokenizer, text)


def test_a_text_of_many_new_words_is_left_to_the_tokenizer(tokenizer: Tokenizer) -> None:
    words = Words(tokenizer)
    text = " ".join(f"x{number}" for number in range(MOST_NEW + 1))
    assert words.ids(text) is None
    assert words.ids(text) == whole(tokenizer, text)


@pytest.mark.parametrize(
    "text", ["[MASK] it is", "snake_case", "na\u00efve", "my older brother", "older-brother [SEP]"]
)
def test_what_the_tokenizer_reads_across_words_is_left_to_it(
    tokenizer: Tokenizer, text: str
) -> None:
    words = Words(tokenizer)
    for _ in range(2):
        assert words.ids(text) in (None, whole(tokenizer, text))


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": None},
        {"pre_tokenizer": {"type": "WhitespaceSplit"}},
        {
            "added_tokens": [
                {
                    "id": 99, "content": "in side", "single_word": False, "lstrip": False,
                    "rstrip": False, "normalized": True, "special": False,
                }
            ]
        },
    ],
)  # fmt: skip
def test_a_tokenizer_of_another_kind_always_reads_the_whole(change: dict[str, object]) -> None:
    rules = json.loads(SHIPPED.read_text()) | change
    words = Words(Tokenizer.from_str(json.dumps(rules)))
    assert words.ids("good") is None


@pytest.mark.parametrize("content", ["Quux", "quux"])
@pytest.mark.parametrize("normalized", [True, False])
def test_an_added_word_is_found_as_the_tokenizer_finds_it(content: str, normalized: bool) -> None:
    rules = json.loads(SHIPPED.read_text())
    added = {
        "id": 99_999, "content": content, "single_word": True, "lstrip": False,
        "rstrip": False, "normalized": normalized, "special": False,
    }  # fmt: skip
    rules["added_tokens"] = [*rules["added_tokens"][:5], added]
    tokenizer = Tokenizer.from_str(json.dumps(rules))
    words = Words(tokenizer)
    for text in ["quux", "Quux", "QUUX", "a Quux, b", "quux-quux", "quuxs"] * 2:
        assert words.ids(text) in (None, whole(tokenizer, text)), text


def test_as_many_words_are_kept_as_allowed(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("discern.text.words.MOST_WORDS", 50)
    words = Words(tokenizer)
    for number in range(200):
        assert words.ids(f"n{number}") == whole(tokenizer, f"n{number}")
    assert len(words._known) <= 50
