"""The texts the servers are asked about: so many tokens each, the same in every run."""

from __future__ import annotations

import random
from functools import lru_cache
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

SHORT_TOKENS: Final = 20
LONG_TOKENS: Final = 150
MIXED_RANGE: Final = (5, 250)
COUNT: Final = 256
KINDS: Final = ("short", "long", "mixed")
_SEED: Final = 20260
_WORDS: Final = """
the a this that it they we service room food staff delivery price phone battery screen film story
actor song book hotel driver order package meal coffee teacher lesson game team support answer
was is felt looked seemed arrived broke worked stopped tasted took became very quite really too
almost never always good bad slow fast warm cold kind rude fresh old late early cheap clean broken
lovely awful average fine great dull and but because while so after before in on at with without
for again today yesterday morning night week time day people friend family city street
"""


def texts(kind: str, tokenizer_file: Path) -> list[str]:
    """256 texts of one kind.

    ``short`` has 20 tokens and ``long`` 150, special tokens included; ``mixed`` is drawn from a
    log-normal law (median 30, sigma 0.8) held between 5 and 250 tokens, the shape of what people
    write: many short texts and a tail of long ones.
    """
    source = random.Random(f"{_SEED}-{kind}")
    return [_text(_tokens(kind, source), source, tokenizer_file) for _ in range(COUNT)]


def _tokens(kind: str, source: random.Random) -> int:
    if kind == "mixed":
        shortest, longest = MIXED_RANGE
        return round(min(max(source.lognormvariate(3.4, 0.8), shortest), longest))
    return {"short": SHORT_TOKENS, "long": LONG_TOKENS}[kind]


def _text(tokens: int, source: random.Random, tokenizer_file: Path) -> str:
    words = [source.choice(_one_token_words(tokenizer_file)) for _ in range(tokens - 3)]
    return " ".join(words).capitalize() + "."


@lru_cache
def _one_token_words(tokenizer_file: Path) -> tuple[str, ...]:
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    words = tuple(
        word
        for word in _WORDS.split()
        if len(tokenizer.encode(word, add_special_tokens=False).ids) == 1
    )
    if len(words) < len(_WORDS.split()) // 2:
        raise ValueError("the tokenizer splits common English words; token counts would be wrong")
    return words
