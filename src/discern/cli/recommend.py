"""``discern recommend``: what a person would like next, from files or a fitted model."""

from __future__ import annotations

import click

from discern.cli import LazyGroup


class _RecommendGroup(LazyGroup):
    lazy = {
        "fit": ("discern.cli.recommend_fit", "fit"),
        "for": ("discern.cli.recommend_lists", "for_person"),
        "similar": ("discern.cli.recommend_lists", "similar"),
        "evaluate": ("discern.cli.recommend_evaluate", "evaluate"),
        "import": ("discern.cli.recommend_files", "import_files"),
        "export": ("discern.cli.recommend_files", "export_files"),
        "forget": ("discern.cli.recommend_forget", "forget"),
    }


@click.group(cls=_RecommendGroup)
def recommend() -> None:
    """Suggest what a person would like next, and say why.

    \b
    discern recommend import --contents contents.csv --interactions interactions.csv
    discern recommend fit
    discern recommend for anna
    """
