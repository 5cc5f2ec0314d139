"""What a ranker knows of every content: its column, labels, age, and whether it can be had."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.contract import Content, Filters

FEW_COMPARISONS: Final = 60_000

Columns = NDArray[np.int64]


class Catalogue:
    """Contents by column. The first columns are the model's; contents added later get the next
    ones. Safe to read while another thread adds."""

    def __init__(self, model_contents: Sequence[str], contents: Iterable[Content] = ()) -> None:
        self._lock = threading.Lock()
        self._columns = {name: column for column, name in enumerate(model_contents)}
        self.known = len(model_contents)
        self._contents: list[Content] = [Content(name) for name in model_contents]
        self._available = np.ones(self.known, dtype=bool)
        self._size = self.known
        self._categories: dict[str, set[int]] = {}
        self._tags: dict[str, set[int]] = {}
        self.add(contents)

    def __len__(self) -> int:
        return self._size

    def add(self, contents: Iterable[Content]) -> None:
        """Adds contents, or replaces what is known of those with the same id."""
        with self._lock:
            for content in contents:
                self._put(content)

    def column(self, content: str) -> int | None:
        """The content's column, or None for an unknown id."""
        return self._columns.get(content)

    def content(self, column: int) -> Content:
        """What is known of the content in that column."""
        return self._contents[column]

    def contents(self) -> tuple[Content, ...]:
        """All contents, by column."""
        return tuple(self._contents)

    def allowed(self, columns: Columns, filters: Filters, seen: Columns) -> NDArray[np.bool_]:
        """Which of ``columns`` the filters let through; ``seen`` are the person's own."""
        keep = np.ones(len(columns), dtype=bool)
        if not filters.allow_unavailable:
            keep &= self._available[columns]
        if not filters.allow_seen and len(seen):
            keep &= ~_among(columns, seen)
        if filters.exclude:
            named = [self._columns[name] for name in filters.exclude if name in self._columns]
            keep &= ~_among(columns, np.array(named, dtype=np.int64))
        for wanted, labelled in (
            (filters.categories, self._categories),
            (filters.tags, self._tags),
        ):
            if wanted:
                keep &= self._with_label(columns, wanted, labelled)
        return keep

    @staticmethod
    def _with_label(
        columns: Columns, wanted: tuple[str, ...], labelled: dict[str, set[int]]
    ) -> NDArray[np.bool_]:
        groups = [labelled.get(label, set()) for label in wanted]
        return np.fromiter(
            (any(column in group for group in groups) for column in columns.tolist()),
            dtype=bool,
            count=len(columns),
        )

    def _put(self, content: Content) -> None:
        column = self._columns.get(content.id)
        if column is None:
            column = len(self._contents)
            self._contents.append(content)
            self._reserve(column)
            self._columns[content.id] = column
            self._size = column + 1
        else:
            self._unlabel(column)
            self._contents[column] = content
        self._available[column] = content.available
        if content.category:
            self._categories.setdefault(content.category, set()).add(column)
        for tag in content.tags:
            self._tags.setdefault(tag, set()).add(column)

    def _reserve(self, column: int) -> None:
        if column >= len(self._available):
            grown = np.ones(max(16, 2 * len(self._available)), dtype=bool)
            grown[: len(self._available)] = self._available
            self._available = grown

    def _unlabel(self, column: int) -> None:
        old = self._contents[column]
        if old.category:
            self._categories[old.category].discard(column)
        for tag in old.tags:
            self._tags[tag].discard(column)


def _among(columns: Columns, some: Columns) -> NDArray[np.bool_]:
    """Which of ``columns`` are in ``some``: by comparing all where few are cheaper than a sort."""
    if len(columns) * len(some) > FEW_COMPARISONS:
        return np.isin(columns, some)
    return np.asarray((columns[:, None] == some[None, :]).any(axis=1))
