"""Persons described: whom a text speaks of must not set its mood, whatever is said of them.

Where ``swaps`` exchanges one word of a group for another, this puts a word before a person ("the
teacher" becomes "the deaf teacher"): the two are counterfactual twins (Kaushik et al. 2020,
arXiv:1909.12434), which the consistency loss holds together. The words share no embedding, for
most of them have a second use in which they do carry a mood ("a lame excuse").
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

from discern_training.sentiment.data import Example

_LEXICON: Final = Path(__file__).parent / "lexicon" / "described.toml"
_KINDS: Final = ("body", "mind", "standing", "family", "age", "love", "ways")
_CHOICE: Final = re.compile(r"\[([^\[\]]*)\]")
_LIKE_A_VOWEL: Final = re.compile(r"(?!one|uni|eu)[aeiou]|hiv|8", re.IGNORECASE)


@cache
def _lexicon() -> dict[str, Any]:
    return tomllib.loads(_LEXICON.read_text(encoding="utf-8"))


@cache
def words() -> tuple[str, ...]:
    """Every word that can describe a person."""
    return tuple(dict.fromkeys(word for kind in _KINDS for word in _lexicon()[kind]))


@cache
def _person() -> re.Pattern[str]:
    persons = "|".join(_lexicon()["persons"])
    return re.compile(
        r"\b(?P<before>an?|the|this|that|my|our|your|his|her|their|every|another|some|one) "
        rf"(?P<who>(?:{persons})s?)\b(?!')",
        re.IGNORECASE,
    )


def describe(text: str, rng: Random) -> str | None:
    """The text with one of the persons it speaks of described by a random word; None if it
    speaks of nobody."""
    found = list(_person().finditer(text))
    if not found:
        return None
    place = rng.choice(found)
    word = rng.choice(words())
    before = _article(place["before"], word)
    return f"{text[: place.start()]}{before} {word} {place['who']}{text[place.end() :]}"


def sentence(rng: Random) -> tuple[str, str]:
    """A sentence without a mood that describes somebody, and the same with another word."""
    pattern = rng.choice(_lexicon()["neutral"])
    while (found := _CHOICE.search(pattern)) is not None:
        chosen = rng.choice(found[1].split("|"))
        pattern = pattern[: found.start()] + chosen + pattern[found.end() :]
    first, second = (_fill(pattern, word) for word in rng.sample(words(), 2))
    return first, second


def examples(count: int, rng: Random) -> list[Example]:
    """``count`` such sentences, each with its twin."""
    pairs = (sentence(rng) for _ in range(count))
    return [Example(first, 1, "persons", twin=second) for first, second in pairs]


def _fill(pattern: str, word: str) -> str:
    left, _, right = pattern.partition("{}")
    head, gap, last = left.rstrip().rpartition(" ")
    if last.lower() in ("a", "an"):
        left = f"{head}{gap}{_article(last, word)} "
    return f"{left}{word}{right}"


def _article(article: str, word: str) -> str:
    """``a`` or ``an`` as the word after it asks for; any other word as it is."""
    if article.lower() not in ("a", "an"):
        return article
    return article[0] + ("n" if _LIKE_A_VOWEL.match(word) else "")
