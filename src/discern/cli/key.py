"""``discern key``: API keys from the command line."""

from __future__ import annotations

import subprocess
import sys

import click

from discern.cli import web_extra


@click.group()
def key() -> None:
    """Make API keys for the web API."""


@key.command()
@click.argument("user")
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
def create(user: str, name: str) -> None:
    """Make a key for USER and print it: the only time it is shown."""
    web_extra()
    command = [sys.executable, "-m", "discern.web", "create_key", user, "--name", name]
    raise click.exceptions.Exit(subprocess.run(command, check=False).returncode)
