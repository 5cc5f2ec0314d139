"""``discern recommend fit``: learn a model and let it answer."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import click

from discern.catalog.store import Store
from discern.cli.progress import Course
from discern.cli.recommend_files import open_library
from discern.errors import EmptyInput, InvalidInput
from discern.recommendations.contract import Content, Interaction
from discern.recommendations.files import read_contents, read_interactions
from discern.recommendations.recommender import TUNE_SECONDS, save_fitted
from discern.recommendations.recommender import fit as learn

FILE = click.Path(path_type=Path)


@click.command()
@click.option("--contents", type=FILE, help="Contents; what was imported if left out.")
@click.option("--interactions", type=FILE, help="Interactions; what was imported if left out.")
@click.option("--name", default="recommendations", show_default=True, help="The model's name.")
@click.option("--version", help="The model's version; the time if left out.")
@click.option(
    "--tune-seconds",
    type=click.FloatRange(min=0),
    default=TUNE_SECONDS,
    show_default=True,
    help="How long to search for good settings.",
)
@click.option("--no-activate", is_flag=True, help="Install it, but let the present one answer.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def fit(
    contents: Path | None,
    interactions: Path | None,
    name: str,
    version: str | None,
    tune_seconds: float,
    no_activate: bool,
    as_json: bool,
) -> None:
    """Learn from contents and interactions, measure, install and activate the model.

    A fit that fails or is cut off leaves the present model answering.
    """
    listed, events, last_event = _read(contents, interactions)
    with Course() as course:
        fitted = learn(
            listed,
            events,
            tune_seconds=tune_seconds,
            report=course.line,
            progress=course.solved,
            last_event=last_event,
        )
    version = version or time.strftime("%Y%m%d.%H%M%S", time.gmtime())
    store = Store()
    with tempfile.TemporaryDirectory() as folder:
        store.install(save_fitted(fitted, Path(folder) / "new", name=name, version=version))
    if not no_activate:
        store.activate(name, version)
        if last_event is not None:
            open_library().events.drop_marks(last_event)
    if as_json:
        click.echo(json.dumps({"name": name, "version": version, **fitted.report}))
        return
    click.echo(f"{name} {version}" + ("" if no_activate else ", active"))
    for key, value in fitted.report.items():
        click.echo(f"  {key:<16}{value:,.4g}")


def _read(
    contents: Path | None, interactions: Path | None
) -> tuple[list[Content], list[Interaction], int | None]:
    if (contents is None) != (interactions is None):
        raise InvalidInput("Give both --contents and --interactions, or neither.")
    if contents is not None and interactions is not None:
        return list(read_contents(contents)), list(read_interactions(interactions)), None
    library = open_library()
    listed = library.contents()
    if not listed:
        raise EmptyInput("Nothing is imported yet: discern recommend import --help.")
    last_event = library.events.last_number()
    return listed, list(library.interactions(until=last_event)), last_event
