"""Reads and checks a user's labeled texts."""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

MOODS: Final = ("negative", "neutral", "positive")
MAX_ROWS: Final = 1_000_000
MAX_CHARS: Final = 100_000
MIN_ROWS: Final = 20
MIN_PER_LABEL: Final = 5
MAX_LABELS: Final = 50


class DataInvalid(ValueError):
    """The user's file breaks a rule; the message names file, row and field."""


@dataclass(frozen=True, slots=True)
class UserData:
    """Checked rows, as (text, index in ``labels``), split into two parts."""

    labels: tuple[str, ...]
    train: list[tuple[str, int]]
    held_out: list[tuple[str, int]]

    @property
    def has_moods(self) -> bool:
        return self.labels == MOODS


def load(path: Path, *, new_labels: bool, held_out: float, seed: int) -> UserData:
    """Reads a CSV with the columns ``text`` and ``label`` and splits it, label by label.

    Without ``new_labels`` every label must be one of the three moods, so that a slip of the pen
    does not become a class of its own. Rows that say the same text with the same label count once.

    Raises:
        DataInvalid: see the class.
    """
    rows = list(dict.fromkeys(_rows(path, new_labels)))
    counts = Counter(label for _, label in rows)
    if len(rows) < MIN_ROWS:
        raise DataInvalid(f"{path.name} has {len(rows)} different rows; at least {MIN_ROWS}.")
    labels = tuple(sorted(counts)) if new_labels else MOODS
    if len(counts) < 2 or len(labels) > MAX_LABELS:
        raise DataInvalid(
            f"{path.name}, field 'label': {len(counts)} labels; 2 to {MAX_LABELS} are needed."
        )
    for label, count in counts.items():
        if count < MIN_PER_LABEL:
            raise DataInvalid(
                f"{path.name}, field 'label': '{label}' has {count} rows; at least "
                f"{MIN_PER_LABEL} each."
            )
    return _split(rows, labels, held_out, Random(seed))


def _rows(path: Path, new_labels: bool) -> list[tuple[str, str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    result: list[tuple[str, str]] = []
    csv.field_size_limit(10 * MAX_CHARS)
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"text", "label"} - set(reader.fieldnames or ())
            if missing:
                raise DataInvalid(
                    f"{path.name}, row 1: no column '{min(missing)}'; the first row must "
                    "name the columns text and label."
                )
            for row in reader:
                result.append(_check(row, f"{path.name}, row {reader.line_num}", new_labels))
                if len(result) > MAX_ROWS:
                    raise DataInvalid(f"{path.name}: more than {MAX_ROWS:,} rows.")
    except UnicodeDecodeError as error:
        raise DataInvalid(f"{path.name} is not UTF-8 text ({error.reason}).") from error
    except (OSError, csv.Error) as error:
        raise DataInvalid(f"{path.name} cannot be read: {error}") from error
    return result


def _check(row: dict[str, str | None], where: str, new_labels: bool) -> tuple[str, str]:
    text, label = (row["text"] or "").strip(), (row["label"] or "").strip()
    if not text:
        raise DataInvalid(f"{where}, field 'text': empty.")
    if len(text) > MAX_CHARS:
        raise DataInvalid(
            f"{where}, field 'text': {len(text):,} characters; at most {MAX_CHARS:,}."
        )
    if not label:
        raise DataInvalid(f"{where}, field 'label': empty.")
    if not new_labels and label.lower() in MOODS:
        label = label.lower()
    if not new_labels and label not in MOODS:
        raise DataInvalid(
            f"{where}, field 'label': '{label[:40]}' is not negative, neutral or positive "
            "(--new-labels allows labels of your own)."
        )
    return text, label


def _split(
    rows: list[tuple[str, str]], labels: tuple[str, ...], share: float, rng: Random
) -> UserData:
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        by_label[label].append(text)
    train: list[tuple[str, int]] = []
    held: list[tuple[str, int]] = []
    for label, texts in sorted(by_label.items()):
        rng.shuffle(texts)
        count = max(1, round(share * len(texts)))
        index = labels.index(label)
        held += [(text, index) for text in texts[:count]]
        train += [(text, index) for text in texts[count:]]
    return UserData(labels, train, held)
