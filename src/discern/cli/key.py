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
@click.option(
    "--service",
    is_flag=True,
    help="USER is a program that acts for its own people; its account is made if need be.",
)
def create(user: str, name: str, service: bool) -> None:
    """Make a key for USER and print it: the only time it is shown."""
    arguments = ["create_key", user, "--name", name, *(["--service"] if service else [])]
    raise click.exceptions.Exit(run_site_command(arguments))
