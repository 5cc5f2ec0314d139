"""``discern key``: API keys from the command line."""

from __future__ import annotations

import click

from discern.cli import run_site_command


@click.group()
def key() -> None:
    """Make API keys for the web API."""


@key.command()
@click.argument("user")
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
def create(user: str, name: str) -> None:
    """Make a key for USER and print it: the only time it is shown."""
    raise click.exceptions.Exit(run_site_command(["create_key", user, "--name", name]))
