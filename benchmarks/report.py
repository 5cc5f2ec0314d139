"""Writes results: figures as JSON, the same as Markdown, and plots as SVG."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.environments import ROOT

RESULTS: Final = ROOT / "benchmarks" / "results"
QUICK: Final = ROOT / ".build" / "benchmarks"


def folder(*, quick: bool) -> Path:
    """Where results go: quick ones out of the tree, since they prove nothing."""
    path = QUICK if quick else RESULTS
    path.mkdir(parents=True, exist_ok=True)
    return path


def write(name: str, result: dict[str, Any], markdown: str, *, quick: bool) -> None:
    """Writes ``NAME.json`` and ``NAME.md`` and prints the latter."""
    where = folder(quick=quick)
    (where / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (where / f"{name}.md").write_text(markdown.strip() + "\n")
    print(f"\n{markdown.strip()}\n\nWritten to {where.relative_to(ROOT)}/{name}.json and .md")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers are aligned right and the first column left."""
    lines = [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
    return "\n".join([*lines, *(_row(row) for row in rows)])


def number(value: float | None, digits: int = 3) -> str:
    """``value`` to that many significant digits, without an exponent; a dash for None."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if abs(value) >= 10 ** (digits - 1) else text


def middle(values: Iterable[float | None]) -> float | None:
    """The median of what is there; None when nothing is."""
    there = [value for value in values if value is not None]
    return round(median(there), 3) if there else None


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
