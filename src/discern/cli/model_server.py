"""``discern model-server``: models behind HTTP."""

from __future__ import annotations

import importlib.util
import os

import click

from discern.errors import MissingExtra

PREFIX = "DISCERN_MODEL_SERVER_"


@click.command()
@click.option("--host", help="Address to bind.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="Port; 0 lets the system choose.  [default: 8600]")
@click.option("--workers", type=int, help="Server processes.  [default: 1]")
@click.option("--sessions", type=int, help="Batches run at once in each process.")
@click.option("--threads", type=int, help="Threads computing one batch.  [default: 1]")
@click.option("--check", is_flag=True, help="Check the settings and end.")
def model_server(
    host: str | None,
    port: int | None,
    workers: int | None,
    sessions: int | None,
    threads: int | None,
    check: bool,
) -> None:
    """Serve models over HTTP: JSON, lines of JSON, and the Open Inference Protocol.

    Every setting is an environment variable that begins with DISCERN_MODEL_SERVER_;
    docs/model-server.md lists them. The options here come before them.
    """
    for module in ("starlette", "uvicorn", "uvloop", "orjson", "prometheus_client"):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra("The model server needs: pip install 'discern[server]'.")
    options = {
        "host": host,
        "port": port,
        "workers": workers,
        "sessions": sessions,
        "threads": threads,
    }
    # Worker processes read the same environment, so the options must be in it.
    for name, value in options.items():
        if value is not None:
            os.environ[PREFIX + name.upper()] = str(value)
    # One thread tokenizes: a pool of them takes the processors from the model.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from discern.model_server.settings import load_settings

    settings = load_settings()
    if check:
        return
    from discern.model_server.processes import run

    run(settings)
