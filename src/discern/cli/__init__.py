"""The command line: read, ask an engine, write. Each command's module loads when it is used."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import click

from discern import __version__
from discern.errors import ConfigurationInvalid, DiscernError, MissingExtra
from discern.setting_names import unknown_names

COMMANDS: Final = {
    "up": ("discern.cli.up", "up"),
    "analyze": ("discern.cli.analyze", "analyze"),
    "evaluate": ("discern.cli.evaluate", "evaluate"),
    "train": ("discern.cli.train", "train"),
    "models": ("discern.cli.models", "models"),
    "recommend": ("discern.cli.recommend", "recommend"),
    "key": ("discern.cli.key", "key"),
    "model-server": ("discern.cli.model_server", "model_server"),
    "benchmark": ("discern.cli.benchmark", "benchmark"),
    "manage": ("discern.cli.manage", "manage"),
}
"""Command name -> (module, attribute). A module that cannot be imported for want of an extra
says which one to install."""

SITE_SETTINGS: Final = {"DJANGO_SETTINGS_MODULE": "discern.web.settings"}
"""Whoever has a Django project of their own may have this variable set to its settings."""

EXIT_FAILURE: Final = 1
EXIT_INTERRUPTED: Final = 130


class LazyGroup(click.Group):
    """A group whose commands are imported on demand, so ``--help`` and ``analyze`` start fast."""

    lazy: dict[str, tuple[str, str]] = COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, (module, _) in self.lazy.items() if _exists(module)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, _summary(*self.lazy[name])) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy or not _exists(self.lazy[cmd_name][0]):
            return None
        module, attribute = self.lazy[cmd_name]
        return cast(click.Command, getattr(importlib.import_module(module), attribute))


def _summary(module: str, attribute: str) -> str:
    """The first sentence of a command's docstring, read without importing its module: help must
    not wait for numpy and a runtime."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return ""
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            paragraph = (ast.get_docstring(node) or "").split("\n\n")[0]
            return " ".join(paragraph.split()).split(". ")[0].removesuffix(".") + "."
    return ""


def _exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def run_site_command(arguments: Sequence[str]) -> int:
    """Runs one of the site's Django commands in a process of its own and returns its status.

    Raises:
        MissingExtra: Django is not installed.
    """
    if not _exists("django"):
        raise MissingExtra("This needs the site's packages: pip install 'discern[web]'.")
    command = [sys.executable, "-m", "discern.web", *arguments]
    return subprocess.run(command, env={**os.environ, **SITE_SETTINGS}, check=False).returncode


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="discern")
def cli() -> None:
    """Sentiment, recommendations and vision, on your own machine.

    \b
    Try:
      discern analyze "I love how quick this is."
      discern up                  the whole product on http://127.0.0.1:8000
      discern models list         what is installed, and which answers what
    """
    if unknown := unknown_names(os.environ):
        raise ConfigurationInvalid("The environment is wrong.\n" + "\n".join(unknown))


def main() -> None:
    """Runs the command line; a core error, and one of the file system, becomes one line on
    stderr and exit status 1."""
    try:
        status = cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DiscernError as error:
        click.echo(f"discern: {error.message} [{error.code}]", err=True)
        sys.exit(EXIT_FAILURE)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(EXIT_FAILURE)
    except OSError as error:
        where = f"'{error.filename}': " if error.filename else ""
        click.echo(f"discern: {where}{error.strerror or error}", err=True)
        sys.exit(EXIT_FAILURE)
    else:
        sys.exit(status if isinstance(status, int) else 0)
