"""``discern up``: web, worker and model server under one supervisor."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import urllib3

from discern.catalog.store import default_home
from discern.cli import SITE_SETTINGS
from discern.cli.supervisor import Program, Supervisor
from discern.errors import ConfigurationInvalid, MissingExtra
from discern.setting_names import is_link

DEFAULT_PORT: Final = 8000
READY_POLL_S: Final = 0.2
SLOW_START_S: Final = 60.0
ACTIVATION_POLL_S: Final = 1.0
MODEL_SERVER: Final = "model-server"


class _PortOption(click.Option):
    """A port that passes over what Kubernetes writes in the variable of its name beside a service
    called ``discern-web``."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        value = super().resolve_envvar_value(ctx)
        return None if is_link(value) else value


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    envvar="DISCERN_WEB_HOST",
    help="Address to bind (or DISCERN_WEB_HOST).",
)
@click.option(
    "--port",
    cls=_PortOption,
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    envvar="DISCERN_WEB_PORT",
    help="Port of the site; 0 lets the system choose (or DISCERN_WEB_PORT).",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the database, uploads and models (or DISCERN_HOME).",
)
@click.option("--demo", is_flag=True, help="Make a demo account and print its sign-in.")
def up(host: str, port: int, home: Path | None, demo: bool) -> None:
    """Start everything: the site, its worker and the model server.

    Ctrl-C stops all of them. A program that crashes is started again, after a pause that grows.
    Settings are environment variables that begin with DISCERN_; docs/settings.md lists them.
    """
    _check_extras()
    port = port or _free_port()
    _check_port(host, port)
    home = (home or default_home()).absolute()
    _check_home(home)
    environment = _environment(host, port, home, demo)
    _prepare("Checking settings", ["check"], environment)
    if "DISCERN_MODEL_SERVER_PORT" in environment:
        # Else its wrong settings would be found by a program that is started again for ever.
        command = ["model-server", "--check"]
        _prepare("Checking the model server's", command, environment, module="discern.cli")
    imported = _imported_before(Path(environment["DISCERN_HOME"]))
    _prepare("Migrating the database", ["migrate", "--no-input"], environment)
    if imported:
        command = ["import_recommendations", "--library"]
        _prepare("Taking in what was imported before", command, environment)
    sign_in = ""
    if demo:
        sign_in = _prepare("Making the demo account", ["make_demo"], environment)
        _prepare("Filling the reading room", ["make_demo_library", "--at-start"], environment)
    supervisor = Supervisor(_programs(environment), say=lambda line: click.echo(line))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: supervisor.request_stop())
    announce = _announcer(f"http://{host}:{port}", sign_in)
    follow = _activation_follower(
        Path(environment["DISCERN_HOME"]) / "active",
        lambda: supervisor.signal(MODEL_SERVER, signal.SIGHUP),
    )

    def tick() -> None:
        announce()
        follow()

    supervisor.run(tick)
    click.echo("Stopped.")


def _imported_before(home: Path) -> bool:
    """Whether `discern recommend import` was used in this home before it had a database. (With a
    database elsewhere one asks for it: `discern manage import_recommendations --library`.)"""
    there = (home / "recommendations" / "contents.jsonl").is_file()
    first = not os.environ.get("DISCERN_DATABASE_URL") and not (home / "discern.sqlite3").exists()
    return there and first


def _check_extras() -> None:
    for module, extra in (("django", "web"), ("starlette", "server")):
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(
                f"`discern up` needs the extra `{extra}`: pip install 'discern[server,web]'."
            )


def _check_port(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port), reuse_port=False):
            return
    except OSError as error:
        raise ConfigurationInvalid(
            f"Cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}). "
            "Choose another with --port, or stop what uses it.",
            field="port",
        ) from error


def _check_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return
    except OSError as error:
        raise ConfigurationInvalid(
            f"Cannot write to {home} ({error.strerror}). "
            "Choose another folder with --home or DISCERN_HOME.",
            field="home",
        ) from error


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _environment(host: str, port: int, home: Path, demo: bool) -> dict[str, str]:
    own = {
        **SITE_SETTINGS,
        "DISCERN_HOME": str(home),
        "DISCERN_WEB_HOST": host,
        "DISCERN_WEB_PORT": str(port),
        "DISCERN_DEMO": "1" if demo else os.environ.get("DISCERN_DEMO", "0"),
    }
    if not os.environ.get("DISCERN_MODEL_SERVER_URL"):
        model_port = os.environ.get("DISCERN_MODEL_SERVER_PORT")
        if not model_port or is_link(model_port):
            model_port = str(_free_port())
        own |= {
            "DISCERN_MODEL_SERVER_HOST": "127.0.0.1",
            "DISCERN_MODEL_SERVER_PORT": model_port,
            "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{model_port}",
            "DISCERN_MODEL_SERVER_TOKEN": os.environ.get("DISCERN_MODEL_SERVER_TOKEN")
            or secrets.token_urlsafe(32),
        }
    return own


def _prepare(
    what: str,
    arguments: list[str],
    environment: dict[str, str],
    *,
    module: str = "discern.web",
) -> str:
    # In a process of its own: the supervisor stays a few megabytes small.
    click.echo(f"{what} ... ", nl=False)
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        click.echo("failed")
        said = (done.stderr or done.stdout).strip()
        said = said.removeprefix("discern: ").removesuffix(f" [{ConfigurationInvalid.code}]")
        raise ConfigurationInvalid(said)
    click.echo(f"{time.monotonic() - started:.1f} s")
    return done.stdout.strip()


def _programs(environment: dict[str, str]) -> list[Program]:
    python = sys.executable
    programs = [
        Program("web", [python, "-m", "discern.web.serve"], environment),
        Program("worker", [python, "-m", "discern.web", "runworker"], environment),
    ]
    if "DISCERN_MODEL_SERVER_PORT" in environment:
        command = [python, "-m", "discern.cli", "model-server"]
        programs.append(Program(MODEL_SERVER, command, environment))
    return programs


def _announcer(address: str, sign_in: str) -> Callable[[], None]:
    """Says once, when the site and its models really answer, where to go."""
    pool = urllib3.PoolManager(timeout=1.0, retries=False)
    started = time.monotonic()
    state = {"next": started, "said": False, "warned": False}

    def tick() -> None:
        now = time.monotonic()
        if state["said"] or now < state["next"]:
            return
        state["next"] = now + READY_POLL_S
        try:
            ready = pool.request("GET", f"{address}/health/ready").status == 200
        except urllib3.exceptions.HTTPError:
            ready = False
        if ready:
            state["said"] = True
            click.echo(_banner(address, sign_in, now - started))
        elif now - started > SLOW_START_S and not state["warned"]:
            state["warned"] = True
            click.echo(f"Not ready after {SLOW_START_S:g} s; the lines above may say why.")

    return tick


def _activation_follower(folder: Path, reload: Callable[[], None]) -> Callable[[], None]:
    """Tells the model server when another model was activated: `discern models activate` works
    in a process of its own and knows of no server."""

    def state() -> tuple[tuple[str, int], ...]:
        if not folder.is_dir():
            return ()
        return tuple(sorted((path.name, path.stat().st_mtime_ns) for path in folder.glob("*.json")))

    seen: dict[str, Any] = {"state": state(), "next": 0.0}

    def tick() -> None:
        now = time.monotonic()
        if now < seen["next"]:
            return
        seen["next"] = now + ACTIVATION_POLL_S
        found = state()
        if found != seen["state"]:
            seen["state"] = found
            reload()

    return tick


def _banner(address: str, sign_in: str, seconds: float) -> str:
    lines = [f"Discern is ready at {address}  (after {seconds:.1f} s; Ctrl-C stops it)"]
    lines += [line for line in sign_in.splitlines() if line.strip()]
    width = max(map(len, lines))
    rule = "─" * (width + 2)
    body = "\n".join(f"│ {line:<{width}} │" for line in lines)
    return click.style(f"╭{rule}╮\n{body}\n╰{rule}╯", bold=True)
