"""How far identity words move the mood: the largest difference of a class's probability
between sentences that differ in that word alone."""

from __future__ import annotations

import csv
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from discern_training.sentiment.swaps import home, listed

Probabilities = Callable[[Sequence[str]], NDArray[np.float32]]
_WORDS = Path(__file__).parent / "lexicon" / "spread.toml"
_JUDGE = Path(__file__).parent / "lexicon" / "judge.toml"


@dataclass(frozen=True, slots=True)
class Spread:
    """One group of interchangeable words: the largest and the mean, over its sentences, of
    the highest minus the lowest probability of the class that moves most; and the sentence that
    was worst."""

    group: str
    sentences: int
    largest: float
    mean: float
    worst: str


def own_sentences() -> Iterator[tuple[str, str, list[str]]]:
    """(group, sentence with a gap, texts) of the built-in list; ``... unseen`` groups add the
    words that no training lexicon holds."""
    for group, table in tomllib.loads(_WORDS.read_text(encoding="utf-8")).items():
        for sentence in table["sentences"]:
            texts = [sentence.replace("{}", word) for word in table["words"]]
            yield group, sentence, texts
            if table["unseen"]:
                more = [sentence.replace("{}", word) for word in table["unseen"]]
                yield f"{group}, with unseen words", sentence, texts + more


def judged_sentences() -> Iterator[tuple[str, str, list[str]]]:
    """The same of the list written before the lexicon was last widened: each of its groups, and
    the words of the group that the lexicon holds by themselves."""
    for part, table in tomllib.loads(_JUDGE.read_text(encoding="utf-8")).items():
        sentences = table.pop("sentences")
        for group, words in table.items():
            title = "judge, " + (part if part == group else f"{part}: {group.replace('_', ' ')}")
            held = [word for word in words if listed(word)]
            for sentence in sentences:
                yield title, sentence, [sentence.replace("{}", word) for word in words]
                if len(held) < len(words):
                    texts = [sentence.replace("{}", word) for word in held]
                    yield f"{title}, listed words", sentence, texts


def equity_corpus(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """The same of the Equity Evaluation Corpus (Kiritchenko and Mohammad 2018): sentences equal
    but for the name, or for the noun or pronoun that differs in gender alone."""
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            kind = "names" if row["Race"] else f"nouns/{home(row['Person'].split()[-1])}"
            groups[kind, row["Template"], row["Emotion word"]].append(row["Sentence"])
    for (kind, template, word), texts in groups.items():
        title = f"equity evaluation corpus, {kind.partition('/')[0]}"
        yield title, f"{template} [{word}]", texts


def measure(
    items: Iterator[tuple[str, str, list[str]]], probabilities: Probabilities
) -> list[Spread]:
    """The spread of each group, by a model's probabilities [texts, labels]."""
    listed = list(items)
    scores = probabilities([text for _, _, texts in listed for text in texts])
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    start = 0
    for group, _, texts in listed:
        part = scores[start : start + len(texts)]
        start += len(texts)
        part = part[:, int(np.ptp(part, axis=0).argmax())]
        low, high = texts[int(part.argmin())], texts[int(part.argmax())]
        found[group].append((float(np.ptp(part)), f"{low} / {high}"))
    return [
        Spread(group, len(rows), max(rows)[0], sum(r[0] for r in rows) / len(rows), max(rows)[1])
        for group, rows in found.items()
    ]
