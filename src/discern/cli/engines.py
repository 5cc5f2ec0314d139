"""Which engine a command uses: models in this process, or a model server by address."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from discern.engine.interface import Engine

F = TypeVar("F", bound=Callable[..., Any])


def engine_option(command: F) -> F:
    """Adds ``--server`` to a command."""
    return click.option(
        "--server",
        metavar="URL",
        envvar="DISCERN_MODEL_SERVER_URL",
        help="Use the model server at URL instead of loading the model here "
        "(token from DISCERN_MODEL_SERVER_TOKEN).",
    )(command)


@contextmanager
def open_engine(server: str | None) -> Iterator[Engine]:
    """A remote engine for ``server``, else a local one; closed at the end."""
    engine: Engine
    if server:
        from discern.engine.remote import RemoteEngine

        engine = RemoteEngine(server, token=os.environ.get("DISCERN_MODEL_SERVER_TOKEN"))
    else:
        from discern.engine.local import LocalEngine

        engine = LocalEngine()
    try:
        yield engine
    finally:
        engine.close()
