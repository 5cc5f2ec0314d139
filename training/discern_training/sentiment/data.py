"""Reads the training sets: which files, what a label means, what is held out."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LABELS: Final = ("negative", "neutral", "positive")
TWO_CLASS: Final = frozenset({"sst2", "imdb"})
FILES: Final = {
    "sst2": "sst2_train.csv",
    "sst_fine": "sst_fine_train.csv",
    "imdb": "imdb_train.csv.gz",
    "goemotions": "goemotions_train.csv",
    "objective": "objective_sentences.csv",
    "tweets": "tweeteval_val.csv",
}
# One text in so many is kept out of training, for calibration and early figures.
HELD_OUT: Final = {"imdb": 25, "tweets": 5}


@dataclass(frozen=True, slots=True)
class Example:
    """A labeled text. ``two_class`` sets have no neutral: their loss must not speak of it.

    ``twin`` is the same text with identity words swapped, if there are any.
    """

    text: str
    label: int
    source: str
    two_class: bool = False
    twin: str | None = None


def read_csv(path: Path) -> Iterator[tuple[str, int]]:
    """Yields (text, label index) of a ``text,label`` CSV, gzip-compressed or not.

    Raises:
        ValueError: a column is missing or a label is unknown; names file, row and field.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        if not {"text", "label"} <= set(rows.fieldnames or ()):
            raise ValueError(f"{path.name}: the first line must name the columns text,label")
        for number, row in enumerate(rows, start=2):
            if row["label"] not in LABELS:
                raise ValueError(f"{path.name}, row {number}: label {row['label']!r}")
            yield row["text"], LABELS.index(row["label"])


def load_set(name: str, folder: Path) -> list[Example]:
    """All rows of one training set, held-out ones included."""
    two_class = name in TWO_CLASS
    return [Example(text, label, name, two_class) for text, label in read_csv(folder / FILES[name])]


def split(examples: Iterable[Example]) -> tuple[list[Example], list[Example]]:
    """Training rows and held-out rows, by a checksum of the text so that it never changes."""
    train: list[Example] = []
    held: list[Example] = []
    for example in examples:
        every = HELD_OUT.get(example.source, 0)
        out = every and zlib.crc32(example.text.encode()) % every == 0
        (held if out else train).append(example)
    return train, held


def fingerprint(text: str) -> str:
    """Letters and digits alone: equal for texts that differ only in spacing or punctuation."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def load_training(folder: Path, names: Iterable[str]) -> dict[str, list[Example]]:
    """The training part of each set, without any text of the evaluation sets."""
    forbidden = {
        fingerprint(text)
        for name in ("sst2_dev.csv", "goemotions_dev.csv")
        for text, _ in read_csv(folder / name)
    }
    return {
        name: [
            example
            for example in split(load_set(name, folder))[0]
            if fingerprint(example.text) not in forbidden
        ]
        for name in names
    }
