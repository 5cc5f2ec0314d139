"""The written text, the identity lexicon and the sentences that measure the spread."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("tokenizers")

from discern_training.sentiment import swaps, written
from discern_training.sentiment.noise import damage, untokenize
from tokenizers import Tokenizer

SPREAD = Path(written.__file__).parent / "lexicon" / "spread.toml"


def test_written_text_covers_the_three_moods_alike_and_leaves_no_mark_of_its_patterns() -> None:
    examples = written.written_examples(300, Random(1))
    counts = Counter(example.label for example in examples)
    assert min(counts.values()) > 400
    assert max(counts.values()) < 500
    assert len({example.text for example in examples}) > 0.98 * len(examples)
    for example in examples:
        text = example.text.replace("[NAME]", "")
        assert text, example
        assert not set(text) & set("[]{}|"), example.text


def test_the_same_seed_writes_the_same_text() -> None:
    first, second = (written.written_examples(50, Random(4)) for _ in range(2))
    assert first == second


def test_amounts_beside_each_other_are_of_one_kind() -> None:
    pattern = "to {money} from {money2}"
    slots = tomllib.loads((SPREAD.parent / "written.toml").read_text("utf-8"))["slots"]
    pairs = set(zip(slots["money"], slots["money2"], strict=True))
    for seed in range(40):
        text = written.expand(pattern, Random(seed)).lower()
        assert text in {f"to {a} from {b}".lower() for a, b in pairs}


def test_a_swap_changes_identity_words_alone_and_the_same_word_alike() -> None:
    for seed in range(30):
        swapped = swaps.swap("He told Maria that he likes Canada.", Random(seed))
        assert swapped is not None
        first, rest = swapped.split(" told ")
        assert first != "He"
        assert " likes " in rest
        assert rest.split(" that ")[1].startswith(first + " ")
    assert swaps.swap("The kettle is loud.", Random(1)) is None


def test_an_invented_word_is_new_and_a_pronoun_is_never_invented() -> None:
    names = {word.lower() for word in swaps.members("names")}
    for seed in range(30):
        swapped = swaps.swap("He met Maria.", Random(seed), invented=1.0)
        assert swapped is not None
        pronoun, _, name = swapped.rstrip(".").split(" ", 2)
        assert pronoun.lower() in {"he", "she", "they"}
        assert name.istitle()
        assert name.lower() not in names


def test_the_words_called_unseen_are_in_no_training_lexicon() -> None:
    known = {word.lower() for group in swaps.groups() for word in swaps.members(group)}
    joined = tomllib.loads((SPREAD.parent / "joined.toml").read_text("utf-8"))["words"]
    known |= {word for words in joined.values() for word in words}
    for name, table in tomllib.loads(SPREAD.read_text("utf-8")).items():
        seen = [word for word in table["unseen"] if word.lower() in known]
        assert not seen, f"{name}: {seen}"


def test_words_of_several_pieces_join_their_group_as_tokens_of_their_own(shipped: Path) -> None:
    tokenizer = Tokenizer.from_file(str(shipped / "tokenizer.json"))
    tokens = tokenizer.encode("Kwame, from SOUTH KOREA, met the police officer.").tokens
    assert {"kwame", "south korea", "police officer"} <= set(tokens)
    assert "south korea" not in tokenizer.encode("south koreans").tokens


def test_no_sentence_that_measures_the_spread_is_a_training_pattern() -> None:
    patterns = (SPREAD.parent / "written.toml").read_text("utf-8").lower()
    for table in tomllib.loads(SPREAD.read_text("utf-8")).values():
        for sentence in table["sentences"]:
            head = sentence.lower().split("{}")[-1].strip(" .")
            assert len(head) < 12 or head not in patterns, sentence


def test_typing_slips_spare_negations_and_stay_close() -> None:
    for seed in range(50):
        damaged = damage("this phone is not never good don't nothing", Random(seed))
        assert " not never " in damaged
        assert "don't" in damaged
        assert len(damaged.split()) == 8


def test_treebank_spacing_is_undone() -> None:
    assert untokenize("it 's good , is n't it ?") == "it's good, isn't it?"
