"""``discern recommend import`` and ``export``: contents and interactions in and out of files."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from discern.catalog.store import default_home
from discern.cli import run_site_command
from discern.cli.tables import check_folder
from discern.errors import InvalidInput, MissingExtra
from discern.recommendations.contract import Interaction
from discern.recommendations.files import read_contents, read_interactions
from discern.recommendations.library import Library, is_deleted

FILE = click.Path(path_type=Path)


def has_site() -> bool:
    """Whether a site was made in this home, or one is named by its database."""
    database = (
        os.environ.get("DISCERN_DATABASE_URL") or (default_home() / "discern.sqlite3").is_file()
    )
    return bool(database) and importlib.util.find_spec("django") is not None


def open_library() -> Library:
    """The library under ``$DISCERN_HOME``."""
    return Library(default_home() / "recommendations")


@click.command("import")
@click.option("--contents", type=FILE, help="Contents to add or replace.")
@click.option("--interactions", type=FILE, help="Interactions to add.")
def import_files(contents: Path | None, interactions: Path | None) -> None:
    """Take in contents and interactions (csv, jsonl, parquet; .gz too).

    Importing the same file twice changes nothing. Where this home has a site, its database takes
    them in, and the model servers follow.
    """
    if contents is None and interactions is None:
        raise InvalidInput("Give --contents, --interactions or both.")
    if has_site():
        given = {"--contents": contents, "--interactions": interactions}
        files = [part for name, file in given.items() if file for part in (name, str(file))]
        raise click.exceptions.Exit(run_site_command(["import_recommendations", *files]))
    library = open_library()
    if contents is not None:
        added, replaced = library.put_contents(read_contents(contents))
        click.echo(f"contents      {added:,} added, {replaced:,} replaced")
    if interactions is not None:
        known = {content.id for content in library.contents()}
        unknown: Counter[bool] = Counter()

        def counted() -> Iterator[Interaction]:
            for event in read_interactions(interactions):
                unknown[event.content not in known] += 1
                yield event

        done = library.put_interactions(counted())
        click.echo(
            f"interactions  {done.accepted:,} added, {done.duplicates:,} known already, "
            f"{unknown[True]:,} of unknown contents, {done.late:,} late, "
            f"{done.out_of_order:,} out of order"
        )


@click.command("export")
@click.option("--contents", is_flag=True, help="Write the contents.")
@click.option("--interactions", is_flag=True, help="Write the interactions.")
@click.option("--person", help="Only this person's interactions.")
@click.argument("output", type=click.Path(path_type=Path, allow_dash=True))
def export_files(contents: bool, interactions: bool, person: str | None, output: Path) -> None:
    """Write what was imported to OUTPUT (.csv, .jsonl, .parquet; - for JSON Lines on stdout)."""
    if contents == (interactions or person is not None):
        raise InvalidInput("Give either --contents or --interactions.")
    if str(output) != "-":
        check_folder(output)
    library = open_library()
    if contents:
        rows: Iterable[dict[str, Any]] = (
            asdict(content) for content in library.contents() if not is_deleted(content)
        )
    elif person is not None:
        rows = (asdict(event) for event in library.events.of_person(person, keyed=True))
    else:
        rows = (asdict(event) for event in library.interactions(keyed=True))
    _write([_named(row) for row in rows], output)


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """With the column names that an import reads."""
    names = {"id": "content_id", "person": "user_id", "content": "content_id", "at": "created_at"}
    return {names.get(key, key): value for key, value in row.items()}


def _write(rows: list[dict[str, Any]], output: Path) -> None:
    if str(output) == "-":
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    elif output.suffix == ".jsonl":
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        output.write_text("".join(lines), encoding="utf-8")
    elif output.suffix == ".csv":
        with output.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(
                {key: "|".join(v) if isinstance(v, tuple) else v for key, v in row.items()}
                for row in rows
            )
    elif output.suffix == ".parquet":
        _write_parquet(rows, output)
    else:
        raise InvalidInput("The output must end in .csv, .jsonl or .parquet.", field="output")


def _write_parquet(rows: list[dict[str, Any]], output: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("Parquet needs pyarrow: pip install 'discern[parquet]'.") from None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), output)
