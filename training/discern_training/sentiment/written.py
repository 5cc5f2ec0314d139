"""Text written for this project: patterns expanded to sentences, and sentences written by hand."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from discern_training.sentiment.data import LABELS, Example, read_csv
from discern_training.sentiment.swaps import members

_FOLDER = Path(__file__).parent / "lexicon"
_CHOICE = re.compile(r"\[([^\[\]{}]*(?:\{[^{}]*\}[^\[\]{}]*)*)\]")
_SLOT = re.compile(r"\{(@?)(\w+)\}")


@cache
def _patterns() -> dict[str, Any]:
    return tomllib.loads((_FOLDER / "written.toml").read_text(encoding="utf-8"))


def written_examples(per_mood: int, rng: Random) -> list[Example]:
    """About ``per_mood`` different sentences of each mood, and every hand-written one.

    Each pattern is drawn equally often within its mood.
    """
    result = [
        Example(text, label, "written") for text, label in read_csv(_FOLDER / "sentences.csv")
    ]
    for label, mood in enumerate(LABELS):
        registers = list(_patterns()[mood].items())
        weights = [len(patterns) for _, patterns in registers]
        found: set[str] = set()
        for _ in range(4 * per_mood):
            if len(found) >= per_mood:
                break
            _, patterns = rng.choices(registers, weights)[0]
            found.add(expand(rng.choice(patterns), rng))
        result.extend(Example(text, label, "written") for text in sorted(found))
    return result


def expand(pattern: str, rng: Random) -> str:
    """One sentence of a pattern: choices made, slots filled, spaces and capitals tidied."""
    while (found := _CHOICE.search(pattern)) is not None:
        chosen = rng.choice(found[1].split("|"))
        pattern = pattern[: found.start()] + chosen + pattern[found.end() :]
    # An amount and the smaller one beside it are of one kind, so that "to A from B" makes sense.
    pair = rng.randrange(len(_patterns()["slots"]["money"]))
    text = _SLOT.sub(lambda slot: _fill(slot, rng, pair), pattern)
    text = re.sub(r"\s+([.,!?])", r"\1", " ".join(text.split()))
    shape = rng.random()
    if shape < 0.12:
        return text.upper()
    if shape < 0.3:
        return text.lower()
    return text[:1].upper() + text[1:]


def _fill(slot: re.Match[str], rng: Random, pair: int) -> str:
    if slot[1]:
        return rng.choice(members(slot[2]))
    choices: list[str] = _patterns()["slots"][slot[2]]
    return choices[pair] if slot[2] in ("money", "money2") else rng.choice(choices)
