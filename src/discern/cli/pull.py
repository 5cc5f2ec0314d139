"""``discern models pull`` and ``add``: models that do not come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import click

from discern.catalog.manifest import Bundle
from discern.catalog.pull import add as add_file
from discern.catalog.pull import entries, entry, is_pulled
from discern.catalog.pull import pull as pull_entry
from discern.catalog.store import Store
from discern.cli.progress import progress_bar
from discern.errors import InvalidInput, ModelNotFound

_DETECTION = "object-detection"


@click.command("pull")
@click.argument("name", required=False)
@click.option("--mirror", help="A folder or HTTP address to take it from instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pull(name: str | None, mirror: str | None, as_json: bool) -> None:
    """Fetch the model NAME from its public address, or list those there are.

    A download that breaks off goes on where it stopped when the command is run again. The file is
    installed only if its SHA-256 is the one in the catalog.
    """
    if name is None:
        _list(as_json)
        return
    store = Store()
    item = entry(name)
    if not as_json and not is_pulled(item, store):
        size = item.manifest.total_bytes / 1e6
        click.echo(f"{name}: {size:.1f} MB, {item.manifest.license}, from {item.manifest.origin}")
    _say(pull_with_bar(name, store, mirror=mirror), as_json)


def pull_with_bar(name: str, store: Store, *, mirror: str | None = None) -> Bundle:
    """Installs a model of the catalog with a progress bar on stderr; see
    :func:`discern.catalog.pull.pull` for ``mirror`` and the errors raised."""
    with progress_bar(entry(name).manifest.total_bytes, label=name) as advance:
        seen = 0

        def report(done: int, _total: int) -> None:
            nonlocal seen
            advance(done - seen)
            seen = done

        return pull_entry(name, store=store, progress=report, mirror=mirror)


@click.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", required=True, help="What to call it: lower-case letters, digits, '-'.")
@click.option("--task", default=_DETECTION, show_default=True, help="What the model is for.")
@click.option("--version", default="1.0.0", show_default=True, help="The model's version.")
@click.option(
    "--license",
    "license_name",
    default="unknown",
    show_default=True,
    help="The license to note in its manifest.",
)
@click.option("--family", help="A detector's family; recognized from its outputs if left out.")
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file with one label per line; those of COCO if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def add(
    file: Path,
    name: str,
    task: str,
    version: str,
    license_name: str,
    family: str | None,
    labels: Path | None,
    as_json: bool,
) -> None:
    """Register a model FILE of your own. It is loaded once first, to see that it can be."""
    preprocessing: dict[str, str] = {}
    if task == _DETECTION:
        from discern.vision.detect import load_file_detector

        preprocessing["family"] = load_file_detector(file, family=family).family.name
    elif family:
        raise InvalidInput("'--family' is for object detectors.", field="family")
    names = tuple(labels.read_text(encoding="utf-8").splitlines()) if labels else ()
    bundle = add_file(
        file,
        name=name,
        task=task,
        version=version,
        license_name=license_name,
        labels=names,
        preprocessing=preprocessing,
    )
    _say(bundle, as_json)


def _say(bundle: Bundle, as_json: bool) -> None:
    manifest = bundle.manifest
    answers = _answers(bundle)
    if as_json:
        facts = {
            "name": manifest.name,
            "version": manifest.version,
            "task": manifest.task,
            "folder": str(bundle.folder),
            "active": answers,
        }
        click.echo(json.dumps(facts))
        return
    click.echo(f"{manifest.name} {manifest.version} is in {bundle.folder}.")
    if not answers:
        click.echo(f"Let it answer {manifest.task}: discern models activate {manifest.name}")


def _answers(bundle: Bundle) -> bool:
    try:
        return Store().active(bundle.manifest.task).folder == bundle.folder
    except ModelNotFound:
        return False


def _list(as_json: bool) -> None:
    store = Store()
    rows = [
        {
            "name": item.name,
            "version": item.manifest.version,
            "task": item.manifest.task,
            "license": item.manifest.license,
            "bytes": item.manifest.total_bytes,
            "here": is_pulled(item, store),
        }
        for item in entries()
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        state = "here" if row["here"] else "not here"
        click.echo(
            f"{row['name']:<20}{row['task']:<20}{int(str(row['bytes'])) / 1e6:>7.1f} MB  "
            f"{row['license']:<12}{state}"
        )
