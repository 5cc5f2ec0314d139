"""``discern train``: fine-tunes on the user's labels, in a process of its own.

PyTorch lives in that process alone, so nothing that serves ever imports it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from discern.errors import MissingExtra


@click.group()
def train() -> None:
    """Make a model from your own data (needs the extra `train`)."""


# The options are those of `finetune` in discern_training, said again: this package imports nothing
# of that one. A test holds the two together.
@train.command()
@click.option(
    "--data",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="CSV (or .csv.gz), UTF-8, first row: text,label.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A new folder for the bundle.",
)
@click.option(
    "--base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The bundle to start from; the shipped one if left out.",
)
@click.option(
    "--name",
    default="sentiment-custom",
    show_default=True,
    help="The bundle's name in the catalog.",
)
@click.option("--version", default="1.0.0", show_default=True, help="The bundle's version.")
@click.option(
    "--epochs",
    type=click.IntRange(1, 50),
    help="Passes over your texts; if left out, 3 to 20 by their number.",
)
@click.option(
    "--rate",
    type=click.FloatRange(1e-6, 1e-3),
    default=5e-5,
    show_default=True,
    help="Learning rate.",
)
@click.option(
    "--held-out",
    type=click.FloatRange(0.05, 0.5),
    default=0.2,
    show_default=True,
    help="The part of each label kept out of training, to measure with.",
)
@click.option(
    "--new-labels",
    is_flag=True,
    help="Labels of your own instead of negative, neutral, positive.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Decides which texts are held out, and the order of the others.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Threads to train with.",
)
@click.pass_context
def sentiment(context: click.Context, /, **_: Any) -> None:
    """Fine-tune the sentiment model on a CSV with the columns text and label.

    \b
    my.csv:
        text,label
        "The parcel came a day early.",positive
        "Where is my invoice?",neutral
        "Third time it broke.",negative

    At least 20 rows and 5 of each label; a few hundred make a difference. A part is held out and
    both models, the one you start from and the new one, are measured on it. Nothing is
    downloaded; a thousand short texts take a minute or two on two processor cores.

    \b
    discern train sentiment --data my.csv --output my-model
    discern models install my-model --activate     # let it answer
    discern models rollback sentiment-analysis     # take it back
    """
    _check_extras()
    program = [sys.executable, "-m", "discern_training.sentiment", "finetune"]
    command = [*program, *given_options(context)]
    raise click.exceptions.Exit(subprocess.run(command, check=False).returncode)


def given_options(context: click.Context) -> list[str]:
    """The options that were typed, as arguments for another program with the same options."""
    arguments = []
    for option in context.command.params:
        name = option.name or ""
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            flag = isinstance(option, click.Option) and option.is_flag
            arguments.append(option.opts[0] + ("" if flag else f"={context.params[name]}"))
    return arguments


def _check_extras() -> None:
    for module in ("discern_training", "torch", "onnx"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(
                f"Training needs '{module}': pip install 'discern[train]' (the CPU build of "
                "PyTorch is enough)."
            )
