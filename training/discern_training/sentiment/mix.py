"""What one epoch reads: sets mixed in their shares, long texts cut to windows, noise added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Final

from discern.text.normalize import normalize
from discern_training.sentiment import described
from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example
from discern_training.sentiment.noise import damage, drop_end_mark, untokenize
from discern_training.sentiment.swaps import members, swap
from discern_training.sentiment.written import written_examples

# Words of a review window: about 128 tokens at the most.
_WINDOW: Final = (60, 95)
_FILMS: Final = frozenset({"sst2", "sst_fine", "imdb"})
_TREEBANK: Final = frozenset({"sst2", "sst_fine", "objective"})


def epoch_examples(
    stage: Stage, sets: dict[str, list[Example]], epoch: int, rng: Random
) -> list[Example]:
    """The epoch's examples, normalized, in no particular order."""
    result = []
    if stage.written:
        sets = {**sets, "written": written_examples(stage.written, rng)}
    if stage.persons:
        sets = {**sets, "persons": described.examples(stage.persons, rng)}
    for name, copies in [*stage.mix.items(), *([("persons", 1.0)] if stage.persons else [])]:
        for example in sample(sets[name], copies, epoch):
            text = vary(example, stage, rng)
            twin = example.twin or _twin(text, stage, rng)
            if twin is None and stage.alike and example.source in _FILMS:
                twin = text
            text = normalize(text)
            if text:
                result.append(replace(example, text=text, twin=twin and normalize(twin)))
    return result


def _twin(text: str, stage: Stage, rng: Random) -> str | None:
    twin = described.describe(text, rng) if rng.random() < stage.described else None
    if twin is None and rng.random() < stage.twins:
        twin = swap(text, rng, stage.invented)
    return twin


def sample(examples: list[Example], copies: float, epoch: int) -> Iterator[Example]:
    """``copies`` of the examples, each epoch another part where that is no whole number."""
    whole = int(copies)
    for _ in range(whole):
        yield from examples
    count = round((copies - whole) * len(examples))
    if count:
        order = list(range(len(examples)))
        Random(len(examples)).shuffle(order)
        start = epoch * count
        yield from (examples[order[(start + i) % len(order)]] for i in range(count))


def vary(example: Example, stage: Stage, rng: Random) -> str:
    """The example's text as one epoch reads it: a window of a review, random names where they were
    masked, treebank spacing, end marks and spelling now and then otherwise."""
    text = example.text
    if example.source == "imdb":
        text = _window(text, rng)
    if example.source == "goemotions" and "[" in text and rng.random() < 0.7:
        text = _unmask(text, rng)
    if example.source in _TREEBANK and rng.random() < 0.5:
        text = untokenize(text)
    if rng.random() < 0.15:
        text = drop_end_mark(text)
    if rng.random() < stage.damage:
        text = damage(text, rng)
    return text


def _unmask(text: str, rng: Random) -> str:
    """Random names and faiths where that set's makers masked the real ones."""
    name, faith = rng.choice(members("names")), rng.choice(members("believers"))
    return text.replace("[NAME]", name.title()).replace("[RELIGION]", faith)


def _window(text: str, rng: Random) -> str:
    """A random run of words; the end of a review, where its verdict often stands, more often."""
    words = text.split()
    size = rng.randint(*_WINDOW)
    last = max(len(words) - size, 0)
    start = last if rng.random() < 0.3 else rng.randint(0, last)
    return " ".join(words[start : start + size])
