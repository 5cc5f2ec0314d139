"""``discern analyze``: the mood of a text, a file of texts or standard input."""

from __future__ import annotations

import contextlib
import json
import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from discern.cli import tables
from discern.cli.engines import engine_option, open_engine
from discern.cli.progress import PartialResults, fingerprint, progress_bar
from discern.engine.interface import Engine
from discern.errors import DiscernError, InvalidInput
from discern.text.calls import timely_calls
from discern.text.contract import Sentiment, check_text

CHUNK_TEXTS: Final = 512
SHAPES: Final = {"negative": "▼", "neutral": "●", "positive": "▲"}


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT|FILE]...")
@click.option("-i", "--input", "source", type=click.Path(path_type=Path), help="A file of texts.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write the table.")
@click.option("-c", "--column", help="The column that holds the texts.")
@click.option("--model", help="A model of the catalog by name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a text, all scores.")
@click.option("--restart", is_flag=True, help="Forget an earlier run that was cut off.")
@engine_option
def analyze(
    texts: tuple[str, ...],
    source: Path | None,
    output: Path | None,
    column: str | None,
    model: str | None,
    as_json: bool,
    restart: bool,
    server: str | None,
) -> None:
    """Say whether texts are negative, neutral or positive.

    \b
    discern analyze "What a lovely day."            a text
    discern analyze reviews.csv                     a table: writes reviews.moods.csv
    discern analyze -i reviews.csv -o moods.jsonl   another format: csv, jsonl, txt, parquet
    cat notes.txt | discern analyze --json          each line of standard input ("-" says so, too)

    A table's rows come back with the mood, its score and every class's score beside their own
    columns; where a name is taken, as discern_NAME. A run that was cut off goes on where it
    stopped when the command is given again. A row that cannot be analyzed (blank, over the
    limit) says why, as a code in error and a sentence in error_message, and stops nothing.
    """
    texts, source = _told_apart(texts, source)
    _check_options(source, output, as_json)
    with open_engine(server) as engine:
        if source is not None:
            _analyze_file(engine, source, output, column, model, restart)
        elif texts:
            _print_moods(_moods(engine, ({"text": text} for text in texts), "text", model), as_json)
        elif not sys.stdin.isatty():
            _print_moods(_moods(engine, tables.stdin_rows(), "text", model), as_json)
        else:
            raise click.UsageError("Give a text, a file, or pipe lines in. --help shows how.")


def _told_apart(texts: tuple[str, ...], source: Path | None) -> tuple[tuple[str, ...], Path | None]:
    """Texts, or a file; neither where standard input is to be read."""
    named = [text for text in texts if _is_table(text)]
    if (named and len(texts) > 1) or (texts and source is not None):
        raise click.UsageError("Give texts or one file, not both.")
    if named:
        return (), Path(named[0])
    if texts == ("-",) or source == Path("-"):
        return (), None
    return texts, source


def _check_options(source: Path | None, output: Path | None, as_json: bool) -> None:
    if source is None and output is not None:
        raise click.UsageError("--output is for a file of texts; --json prints all scores.")
    if source is not None and as_json:
        raise click.UsageError("--json is for texts; write a file's table with -o NAME.jsonl.")
    if source is not None and output is not None and output.resolve() == source.resolve():
        raise click.UsageError("The output would replace the file of texts; give another name.")


def _is_table(argument: str) -> bool:
    """Whether an argument is a file, or one word that ends like a table's name: a name typed wrong
    must not be answered as if it were a text."""
    if len(argument) > 1024 or "\n" in argument or not Path(argument).suffix:
        return False
    if Path(argument).is_file():
        return True
    name = argument.lower().removesuffix(".gz")
    return not any(letter.isspace() for letter in name) and Path(name).suffix in tables.FORMATS


def _moods(
    engine: Engine, rows: Iterable[tables.Row], column: str, model: str | None
) -> Iterator[tuple[tables.Row, Sentiment | DiscernError]]:
    for chunk in timely_calls(rows, lambda row: len(str(row.get(column) or "")), CHUNK_TEXTS):
        good: list[str] = []
        checked: list[DiscernError | None] = []
        for row in chunk:
            try:
                if isinstance(row, tables.BrokenRow):
                    raise InvalidInput(row.problem, field=column)
                good.append(check_text(row.get(column), field=column))
                checked.append(None)
            except InvalidInput as error:
                checked.append(error)
        results = iter(engine.analyze(good, model=model) if good else [])
        for row, failure in zip(chunk, checked, strict=True):
            yield row, failure if failure is not None else next(results)


def _print_moods(
    moods: Iterable[tuple[tables.Row, Sentiment | DiscernError]], as_json: bool
) -> None:
    failed = False
    for row, mood in moods:
        failed = failed or isinstance(mood, DiscernError)
        if as_json:
            click.echo(json.dumps(_as_json(row["text"], mood), ensure_ascii=False))
        elif isinstance(mood, DiscernError):
            click.echo(f"! {mood.message}", err=True)
        else:
            windows = f"  [read in {mood.windows} windows]" if mood.windows > 1 else ""
            shape = SHAPES.get(mood.label, "•")
            click.echo(
                f"{shape} {mood.label:<8} {mood.score:.3f}  {_shorten(row['text'])}{windows}"
            )
    if failed:
        raise click.exceptions.Exit(1)


def _shorten(text: str, limit: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _as_json(text: str, mood: Sentiment | DiscernError) -> dict[str, Any]:
    if isinstance(mood, DiscernError):
        return {"text": text, "error": mood.to_dict()}
    return {"text": text, **asdict(mood)}


def _analyze_file(
    engine: Engine,
    source: Path,
    output: Path | None,
    column: str | None,
    model: str | None,
    restart: bool,
) -> None:
    tables.check_source(source)
    target = output or _default_output(source)
    tables.check_target(target)
    first = next(tables.read_rows(source), None)
    if first is None:
        raise InvalidInput(f"'{source.name}' holds no rows.", field="input")
    column = tables.pick_column(first, column)
    total = sum(1 for _ in tables.read_rows(source))
    partial = PartialResults(target, fingerprint(source, column, model or ""))
    done = partial.open(restart=restart)
    if done:
        click.echo(f"Going on after {done:,} rows of an earlier run.", err=True)
    rows = (row for number, row in enumerate(tables.read_rows(source)) if number >= done)
    with contextlib.closing(partial), progress_bar(total, done, label="Analyzing") as advance:
        for _, mood in _moods(engine, rows, column, model):
            partial.append(_columns(mood))
            advance(1)
    counts = _write_table(source, target, partial)
    partial.discard()
    summary = ", ".join(f"{count:,} {label}" for label, count in sorted(counts.items()))
    click.echo(f"{total:,} rows -> {target}  ({summary})", err=True)


def _write_table(source: Path, target: Path, moods: PartialResults) -> Counter[str]:
    """Lays the moods beside the source's own columns, and counts them by label."""
    counts: Counter[str] = Counter()
    own: dict[str, None] = {}
    labels: dict[str, None] = {}
    for row, mood in zip(tables.read_rows(source), moods.rows(), strict=True):
        own |= dict.fromkeys(row)
        labels |= dict.fromkeys(mood["scores"])
        counts[mood["sentiment"] or "not analyzed"] += 1
    added = ("sentiment", "score", *labels, "windows", "error", "error_message")
    names = {name: _free_name(name, own) for name in added}

    def rows() -> Iterator[tables.Row]:
        for row, mood in zip(tables.read_rows(source), moods.rows(), strict=True):
            cells = {**dict.fromkeys(labels), **mood.pop("scores"), **mood}
            yield {**row, **{names[name]: cells[name] for name in added}}

    tables.write_rows(target, rows(), [*own, *names.values()])
    return counts


def _free_name(name: str, taken: Container[str]) -> str:
    while name in taken:
        name = f"discern_{name}"
    return name


def _default_output(source: Path) -> Path:
    name = source.name.removesuffix(".gz")
    stem, suffix = name.rsplit(".", 1)
    return source.with_name(f"{stem}.moods.{'jsonl' if suffix == 'txt' else suffix}")


def _columns(mood: Sentiment | DiscernError) -> dict[str, Any]:
    if isinstance(mood, DiscernError):
        return {
            "sentiment": "",
            "score": None,
            "scores": {},
            "windows": None,
            "error": mood.code,
            "error_message": mood.message,
        }
    return {
        "sentiment": mood.label,
        "score": round(mood.score, 6),
        "scores": {label: round(score, 6) for label, score in mood.scores.items()},
        "windows": mood.windows,
        "error": "",
        "error_message": "",
    }
