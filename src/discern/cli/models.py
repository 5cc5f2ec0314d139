"""``discern models``: what is installed, on what terms, and which version answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from discern.catalog.manifest import Bundle, verify
from discern.catalog.store import Store
from discern.cli import LazyGroup
from discern.errors import ModelNotFound


class _ModelsGroup(LazyGroup):
    lazy = {
        "list": ("discern.cli.models", "list_models"),
        "show": ("discern.cli.models", "show"),
        "activate": ("discern.cli.models", "activate"),
        "rollback": ("discern.cli.models", "rollback"),
        "install": ("discern.cli.models", "install"),
        "remove": ("discern.cli.models", "remove"),
        "verify": ("discern.cli.models", "verify_models"),
        "pull": ("discern.cli.pull", "pull"),
        "add": ("discern.cli.pull", "add"),
    }


@click.group(cls=_ModelsGroup)
def models() -> None:
    """See, install, activate and roll back models."""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_models(as_json: bool) -> None:
    """List every model on this machine; an asterisk marks the one that answers its task."""
    store = Store()
    rows = [_row(store, bundle) for bundle in store.bundles()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    if not rows:
        click.echo("No models are installed.")
    for row in rows:
        mark = "*" if row["active"] else " "
        click.echo(
            f"{mark} {row['name']:<24}{row['version']:<12}{row['task']:<22}"
            f"{row['bytes'] / 1e6:>8.1f} MB  {row['license']}"
        )


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as JSON.")
def show(name: str, version: str | None, as_json: bool) -> None:
    """Show a model's card: training data and its terms, figures, limits."""
    store = Store()
    bundle = store.find(name, version)
    if as_json:
        manifest = bundle.manifest
        details: dict[str, Any] = {
            **_row(store, bundle),
            "origin": manifest.origin,
            "description": manifest.description,
            "labels": manifest.labels,
            "preprocessing": manifest.preprocessing,
            "quality": manifest.quality,
            "speed": manifest.speed,
        }
        click.echo(json.dumps(details))
        return
    click.echo(bundle.card() or _summary(bundle))


@click.command()
@click.argument("name")
@click.argument("version", required=False)
def activate(name: str, version: str | None) -> None:
    """Make a model the one that answers its task. Digests are checked first."""
    bundle = Store().activate(name, version)
    _say_active(bundle)


@click.command()
@click.argument("task")
def rollback(task: str) -> None:
    """Go back to the model that answered TASK before."""
    _say_active(Store().rollback(task))


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--activate", "then_activate", is_flag=True, help="Activate it at once.")
def install(folder: Path, then_activate: bool) -> None:
    """Copy a bundle (a FOLDER with manifest.toml) into the catalog, digests checked."""
    store = Store()
    bundle = store.install(folder)
    click.echo(f"Installed {bundle.manifest.name} {bundle.manifest.version} in {bundle.folder}.")
    if then_activate:
        _say_active(store.activate(bundle.manifest.name, bundle.manifest.version))


@click.command()
@click.argument("name")
@click.argument("version")
def remove(name: str, version: str) -> None:
    """Delete an installed version that is not active."""
    Store().remove(name, version)
    click.echo(f"Removed {name} {version}.")


@click.command("verify")
@click.argument("name", required=False)
def verify_models(name: str | None) -> None:
    """Compare every file with its digest."""
    store = Store()
    for bundle in [store.find(name)] if name else store.bundles():
        verify(bundle)
        click.echo(f"{bundle.manifest.name} {bundle.manifest.version}: as promised.")


def _row(store: Store, bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    try:
        active = store.active(manifest.task).folder == bundle.folder
    except ModelNotFound:
        active = False
    return {
        "name": manifest.name,
        "version": manifest.version,
        "task": manifest.task,
        "active": active,
        "license": manifest.license,
        "bytes": manifest.total_bytes,
        "folder": str(bundle.folder),
    }


def _summary(bundle: Bundle) -> str:
    manifest = bundle.manifest
    lines = [f"{manifest.name} {manifest.version}", manifest.description, ""]
    lines += [f"task     {manifest.task}", f"license  {manifest.license}"]
    lines += [f"origin   {manifest.origin}", f"folder   {bundle.folder}"]
    return "\n".join(lines)


def _say_active(bundle: Bundle) -> None:
    manifest = bundle.manifest
    click.echo(f"{manifest.task} is now answered by {manifest.name} {manifest.version}.")
    click.echo("`discern up` takes it up at once; send SIGHUP to a model server of its own.")
