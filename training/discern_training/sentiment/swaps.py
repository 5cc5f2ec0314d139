"""Identity words: whose swap must not move the mood, and how training sees to it.

Two means. Members of a group that are one token share one embedding (``shared_rows``), so
swapping them cannot change an answer. The others are taught by counterfactual twins (Kaushik et
al. 2020, arXiv:1909.12434; the consistency loss follows counterfactual logit pairing, Garg et
al. 2019, arXiv:1809.10610).
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer

_LEXICON = Path(__file__).parent / "lexicon" / "identity.toml"
_JOINED = Path(__file__).parent / "lexicon" / "joined.toml"
# Groups whose words people make up as they go: there is always a name that no list holds.
_OPEN = frozenset(
    ("names", "surnames", "countries", "nationalities", "believers", "cities", "professions")
)


@cache
def groups() -> dict[str, dict[str, list[str]]]:
    """The lexicon: group name to its ``shared`` and ``similar`` members."""
    return tomllib.loads(_LEXICON.read_text(encoding="utf-8"))


@cache
def members(group: str) -> list[str]:
    """Every member of a group, as written in running text."""
    table = groups()[group]
    return [*table.get("shared", []), *table.get("similar", [])]


@cache
def _homes() -> dict[str, str]:
    """Word to the first group that shares it."""
    homes: dict[str, str] = {}
    for name, table in groups().items():
        for word in table.get("shared", []):
            homes.setdefault(word, name)
    return homes


def home(word: str) -> str:
    """The group that shares ``word``, or the word itself."""
    return _homes().get(word.lower(), word.lower())


@cache
def _pattern() -> re.Pattern[str]:
    words = sorted(_homes(), key=len, reverse=True)
    return re.compile(
        r"(?<![\w'])(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE
    )


def swap(text: str, rng: Random, invented: float = 0.0) -> str | None:
    """The text with each identity word replaced by another of its group, the same word always
    by the same; None when it has none. In the part ``invented`` of the cases, the other word of
    a group that has no end (names, places, trades) is a new one: see ``invent``."""
    chosen: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word not in chosen:
            group = _homes()[word]
            new = group in _OPEN and rng.random() < invented
            chosen[word] = invent(group, rng) if new else _another(word, rng)
        return chosen[word]

    result = _pattern().sub(other, text)
    return result if chosen else None


def invent(group: str, rng: Random) -> str:
    """A word that sounds like a group's and is none of them: the beginning of one of its members
    with the end of another."""
    words = _single_words(group)
    known = set(words)
    while True:
        first, last = rng.choice(words), rng.choice(words)
        word = first[: rng.randint(1, len(first) - 2)] + last[rng.randint(1, len(last) - 2) :]
        if 4 <= len(word) <= 14 and word not in known:
            return word.title()


@cache
def _single_words(group: str) -> list[str]:
    """The words of a group, listed or joined, that are one word of four letters or more."""
    joined = tomllib.loads(_JOINED.read_text(encoding="utf-8"))["words"].get(group, [])
    words = {word.lower() for word in (*members(group), *joined)}
    return sorted(word for word in words if len(word) > 3 and word.isalpha())


def _another(word: str, rng: Random) -> str:
    """Another member of the word's group; mostly one of those that share no embedding."""
    group = groups()[_homes()[word]]
    similar = group.get("similar", [])
    pool = similar if similar and rng.random() < 0.6 else members(_homes()[word])
    return rng.choice([item for item in pool if item != word])


def shared_rows(tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids that share one embedding, group by group; words of several pieces are left out,
    and a word in two groups counts in the first."""
    rows: dict[str, list[int]] = {}
    for word, group in _homes().items():
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        if len(ids) == 1 and tokenizer.id_to_token(ids[0]) == word:
            rows.setdefault(group, []).append(ids[0])
    return [sorted(set(ids)) for ids in rows.values() if len(ids) > 1]


def join(tokenizer: Tokenizer, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """Extends the sharing to the words of ``joined.toml`` and to shared words of several pieces.

    Words of one token get their group's vector; the others are added to ``tokenizer`` as tokens
    of their own, so that "South Korea" reads like any other country. ``table`` is the word table
    [tokens, width], whose groups already share; returns it with the changes and the new rows.
    """
    first = _first_tokens(tokenizer)
    table = table.copy()
    added: dict[str, int] = {}
    for word, group in _joining():
        spelled = tokenizer.normalizer.normalize_str(word)
        ids = tokenizer.encode(spelled, add_special_tokens=False).ids
        if len(ids) == 1 and tokenizer.id_to_token(ids[0]) == spelled:
            table[ids[0]] = table[first[group]]
        else:
            added.setdefault(spelled, first[group])
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=True) for word in added])
    rows = np.concatenate([table, table[list(added.values())]])
    if tokenizer.get_vocab_size() != len(rows):
        raise ValueError(f"{tokenizer.get_vocab_size()} tokens, but {len(rows)} rows")
    return rows


def stand_in(tokenizer: Tokenizer) -> str:
    """A word that is one token and has the embedding that names share."""
    return str(tokenizer.id_to_token(_first_tokens(tokenizer)["names"]))


def listed(word: str) -> bool:
    """Whether a word, or what follows its title ("Mr. Smith"), shares its group's embedding."""
    plain = re.sub(r"^(?:mrs?|ms|dr)\. ", "", word.lower())
    return _folded(plain) in _listed()


def _folded(word: str) -> str:
    """Without accents, as the tokenizer reads it."""
    letters = unicodedata.normalize("NFD", word.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@cache
def _listed() -> frozenset[str]:
    return frozenset(_folded(word) for word, _ in _joining())


def _joining() -> list[tuple[str, str]]:
    """(word, group whose embedding it gets) of every word to join; a word in two groups counts
    in the first, the shared ones first."""
    joined = tomllib.loads(_JOINED.read_text(encoding="utf-8"))
    found = dict(_homes())
    for group, words in joined["words"].items():
        for word in words:
            found.setdefault(word, group)
    merge = joined["merge"]
    return [(word, merge.get(group, group)) for word, group in found.items()]


def _first_tokens(tokenizer: Tokenizer) -> dict[str, int]:
    """Group to the token whose embedding the group shares."""
    first: dict[str, int] = {}
    for word, group in _homes().items():
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        if len(ids) == 1:
            first[group] = min(first.get(group, ids[0]), ids[0])
    return first
