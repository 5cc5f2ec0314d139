"""``discern recommend forget``: erases a person."""

from __future__ import annotations

import click

from discern.cli import run_site_command
from discern.cli.recommend_files import has_site, open_library
from discern.errors import NotFound
from discern.recommendations.contract import check_id


@click.command()
@click.argument("person")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def forget(person: str, yes: bool) -> None:
    """Erase PERSON: all they did, and their part of what model servers learned.

    Where this home has a site, they are erased in its database, too. A model that was fitted before
    holds nobody's name.
    """
    name = check_id(person, field="person")
    if not yes:
        click.confirm(f"Erase everything known of '{name}'? It cannot be undone.", abort=True)
    if has_site():
        raise click.exceptions.Exit(run_site_command(["forget_person", "--", name]))
    events = open_library().events
    count = len(events.of_person(name))
    if not events.erase(name):
        raise NotFound(f"Nothing is known of '{name}'.", field="person")
    click.echo(f"{name}  {count:,} interactions erased")
