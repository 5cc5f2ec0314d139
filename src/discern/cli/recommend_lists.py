"""``discern recommend for`` and ``similar``: lists from the active model."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict

import click

from discern.catalog.store import Store
from discern.cli.recommend_files import open_library
from discern.recommendations.contract import MAX_SEEN, TASK, Filters, Recommendation
from discern.recommendations.history import SECONDS_A_DAY
from discern.recommendations.recommender import Recommender


def _recommender() -> Recommender:
    library = open_library()
    recommender = Recommender.load(Store().active(TASK).folder)
    recommender.add_contents(library.contents())
    return recommender


@click.command("for")
@click.argument("person")
@click.option("-n", "count", default=10, show_default=True, help="How many.")
@click.option("--category", "categories", multiple=True, help="Only this category.")
@click.option("--tag", "tags", multiple=True, help="Only contents with this tag.")
@click.option("--exclude", multiple=True, help="Never this content.")
@click.option("--seen", is_flag=True, help="Also what the person has met already.")
@click.option("--unavailable", is_flag=True, help="Also what cannot be had at the moment.")
@click.option(
    "--diversity",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="From 0, the likeliest, to 1, as varied as can be.",
)
@click.option(
    "--exploration",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="The share of the list kept for contents too new to be known.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def for_person(
    person: str,
    count: int,
    categories: tuple[str, ...],
    tags: tuple[str, ...],
    exclude: tuple[str, ...],
    seen: bool,
    unavailable: bool,
    diversity: float,
    exploration: float,
    as_json: bool,
) -> None:
    """What PERSON would like next, and why."""
    recommender = _recommender()
    for event in reversed(open_library().events.of_person(person, MAX_SEEN)):
        recommender.add(event)
    filters = Filters(categories, tags, exclude, allow_seen=seen, allow_unavailable=unavailable)
    lines = recommender.recommend(
        person,
        count,
        filters=filters,
        diversity=diversity,
        exploration=exploration,
        day=int(time.time() // SECONDS_A_DAY),
    )
    _show(recommender, lines, as_json, person)


@click.command()
@click.argument("content")
@click.option("-n", "count", default=10, show_default=True, help="How many.")
@click.option("--category", "categories", multiple=True, help="Only this category.")
@click.option("--tag", "tags", multiple=True, help="Only contents with this tag.")
@click.option("--exclude", multiple=True, help="Never this content.")
@click.option("--unavailable", is_flag=True, help="Also what cannot be had at the moment.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def similar(
    content: str,
    count: int,
    categories: tuple[str, ...],
    tags: tuple[str, ...],
    exclude: tuple[str, ...],
    unavailable: bool,
    as_json: bool,
) -> None:
    """What goes with CONTENT."""
    recommender = _recommender()
    filters = Filters(categories, tags, exclude, allow_unavailable=unavailable)
    _show(recommender, recommender.similar(content, count, filters=filters), as_json)


def _show(
    recommender: Recommender,
    lines: Sequence[Recommendation],
    as_json: bool,
    person: str | None = None,
) -> None:
    if as_json:
        click.echo(json.dumps([asdict(line) for line in lines], ensure_ascii=False))
        return
    for place, line in enumerate(lines, 1):
        why = recommender.why(line, person)
        click.echo(f"{place:>3}  {recommender.title(line.content):<44.44}  {why}")
