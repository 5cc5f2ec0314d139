"""``discern train``: fine-tunes on the user's labels, in a process of its own.

PyTorch lives in that process alone, so nothing that serves ever imports it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

from discern.errors import MissingExtra


@click.group()
def train() -> None:
    """Make a model from your own data (needs the extra `train`)."""


@train.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sentiment(arguments: tuple[str, ...]) -> None:
    """Fine-tune the sentiment model on a CSV with the columns text and label.

    \b
    discern train sentiment --data my.csv --output my-model
    discern models install my-model --activate
    """
    for module in ("discern_training", "torch", "onnx"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(
                f"Training needs '{module}': pip install 'discern[train]' (the CPU build of "
                "PyTorch is enough)."
            )
    command = [sys.executable, "-m", "discern_training.sentiment", "finetune", *arguments]
    raise click.exceptions.Exit(subprocess.run(command, check=False).returncode)
