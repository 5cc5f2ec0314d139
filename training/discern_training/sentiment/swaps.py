"""Identity words: whose swap must not move the mood, and how training sees to it.

Two means. Members of a group that are one token share one embedding (``shared_rows``), so
swapping them cannot change an answer. The others are taught by counterfactual twins (Kaushik et
al. 2020, arXiv:1909.12434; the consistency loss follows counterfactual logit pairing, Garg et
al. 2019, arXiv:1809.10610).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from random import Random

from tokenizers import Tokenizer

_LEXICON = Path(__file__).parent / "lexicon" / "identity.toml"


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


@cache
def _pattern() -> re.Pattern[str]:
    words = sorted(_homes(), key=len, reverse=True)
    return re.compile(
        r"(?<![\w'])(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.IGNORECASE
    )


def swap(text: str, rng: Random) -> str | None:
    """The text with each identity word replaced by another of its group, the same word always
    by the same; None when it has none."""
    chosen: dict[str, str] = {}

    def other(found: re.Match[str]) -> str:
        word = found[0].lower()
        if word not in chosen:
            chosen[word] = _another(word, rng)
        return chosen[word]

    result = _pattern().sub(other, text)
    return result if chosen else None


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
