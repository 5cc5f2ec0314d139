"""The stored form of a text job's results, and its CSV."""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import orjson

from discern.errors import DiscernError
from discern.text.contract import Sentiment
from discern.web.text.files import CHUNK_ROWS, Row

SHOWN_CHARS: Final = 500
_NUMBER = re.compile(r"[-+]?[0-9]+([.,][0-9]+)?([eE][-+]?[0-9]+)?%?")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")


def good_result(number: int, row: Row, mood: Sentiment) -> dict[str, Any]:
    """A row that was read."""
    return {
        "row": number,
        "text": (row.text or "")[:SHOWN_CHARS],
        "label": mood.label,
        "score": mood.score,
        "scores": dict(mood.scores),
        "model": f"{mood.model_name} {mood.model_version}",
        "error": None,
    }


def bad_result(number: int, row: Row, error: DiscernError) -> dict[str, Any]:
    """A row that was refused, and why."""
    return {
        "row": number,
        "text": (row.text or "")[:SHOWN_CHARS],
        "label": None,
        "score": None,
        "scores": None,
        "model": None,
        "error": {"code": error.code, "detail": error.message},
    }


def pack(results: Sequence[Mapping[str, Any]]) -> bytes:
    """A chunk's results as stored."""
    return zlib.compress(orjson.dumps(results), level=3)


def unpack(content: bytes) -> list[dict[str, Any]]:
    """The reverse of :func:`pack`."""
    results: list[dict[str, Any]] = orjson.loads(zlib.decompress(content))
    return results


def slice_of_chunks(offset: int, limit: int) -> range:
    """Numbers of the chunks that hold the rows from ``offset`` on."""
    return range(offset // CHUNK_ROWS, (offset + limit - 1) // CHUNK_ROWS + 1)


def guarded(cell: str) -> str:
    """The cell so that no spreadsheet runs it as a formula: a leading apostrophe shows it as text.

    Source: OWASP, CSV Injection. Plain numbers stay as they are.
    """
    bare = cell.lstrip(" \u00a0\u3000\ufeff")
    if bare.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(bare):
        return "'" + cell
    return "'" + cell if cell.startswith(("\t", "\r", "\n")) else cell


def csv_lines(
    columns: Sequence[str],
    rows: Iterable[Row],
    results: Iterable[Mapping[str, Any]],
    labels: Sequence[str],
) -> Iterator[str]:
    """The file's own columns, then the mood, every label's score, the model, and of a refused
    row the error's code and its sentence."""
    added = ["sentiment", "score", *(f"score_{label}" for label in labels), "model"]
    added += ["error", "error_message"]
    names = [_free_name(name, columns) for name in added]
    writer = csv.writer(_Echo())
    header = [guarded(name) for name in chain(columns, names)]
    yield writer.writerow(header)
    for row, result in zip(rows, results, strict=False):
        cells = [guarded(cell) for cell in row.cells[: len(columns)]]
        cells += [""] * (len(columns) - len(cells))
        yield writer.writerow([*cells, *_result_cells(result, labels)])


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"discern_{name}"
    return name


def _result_cells(result: Mapping[str, Any], labels: Sequence[str]) -> list[str]:
    if result["error"]:
        error = result["error"]
        return ["", "", *("" for _ in labels), "", error["code"], guarded(error["detail"])]
    scores = result["scores"]
    return [
        result["label"],
        f"{result['score']:.6f}",
        *(f"{scores[label]:.6f}" if label in scores else "" for label in labels),
        result["model"],
        "",
        "",
    ]


class _Echo:
    """A file that gives each line back, so that a CSV is streamed and never whole in memory."""

    def write(self, line: str) -> str:
        return line
