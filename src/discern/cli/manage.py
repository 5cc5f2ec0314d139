"""``discern manage``: the site's own Django commands (migrate, createsuperuser, shell, ...)."""

from __future__ import annotations

import click

from discern.cli import run_site_command


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Run a Django management command of the site."""
    raise click.exceptions.Exit(run_site_command(arguments))
