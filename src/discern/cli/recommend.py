"""``discern recommend``: what a person would like next, from files or a fitted model."""

from __future__ import annotations

import click

from discern.cli import LazyGroup


class _RecommendGroup(LazyGroup):
    lazy = {
        "evaluate": ("discern.cli.recommend_evaluate", "evaluate"),
    }


@click.group(cls=_RecommendGroup)
def recommend() -> None:
    """Suggest what a person would like next, and say why."""
