"""Private PostgreSQL, Redis and RabbitMQ servers on loopback, from the programs installed here."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.web.live import free_port

START_TIMEOUT_S = 60.0


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A cluster with a data folder of its own; yields the address of an empty database.

    PostgreSQL refuses to run as root, so then it runs as the user nobody.
    """
    programs = _postgresql_programs()
    data, port = folder / "data", free_port()
    user = _unprivileged(folder)
    _run(
        [str(programs / "initdb"), "-D", str(data), "-U", "discern", "-A", "trust", "-E", "UTF8"],
        user,
    )
    server = _start(
        [
            str(programs / "postgres"),
            *("-D", str(data), "-p", str(port), "-k", str(folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
        ],
        folder / "postgresql.log",
        user,
    )
    try:
        _wait_for(server, lambda: _answers(programs, port), folder / "postgresql.log")
        yield f"postgresql://discern@127.0.0.1:{port}/postgres"
    finally:
        _stop(server, signal.SIGINT)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A Redis that stores nothing; yields its address."""
    program = _program("redis-server")
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = _start([program, *arguments], folder / "redis.log")
    try:
        _wait_for(
            server, lambda: "Ready to accept" in _read(folder / "redis.log"), folder / "redis.log"
        )
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        _stop(server)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[str]:
    """A RabbitMQ node of its own name and folders; yields its address."""
    program = _program("rabbitmq-server")
    port, dist = free_port(), free_port()
    own = {
        "RABBITMQ_NODENAME": f"discern{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(free_port()),
        "HOME": str(folder),
    }
    (folder / "plugins").write_text("[].\n")
    log = folder / "rabbitmq.log"
    server = _start([program], log, environment={**os.environ, **own})
    try:
        _wait_for(server, lambda: "completed with" in _read(log), log)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        _stop(server)


def _postgresql_programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    beside = [Path(folder) for folder in os.environ["PATH"].split(":")]
    for folder in [*reversed(found), *beside]:
        if all((folder / name).exists() for name in ("initdb", "postgres", "pg_isready")):
            return folder
    pytest.skip("PostgreSQL's programs are not installed (apt-get install postgresql)")


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return found


def _unprivileged(folder: Path) -> str | None:
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    return "nobody"


def _run(command: list[str], user: str | None) -> None:
    done = subprocess.run(command, user=user, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def _start(
    command: list[str],
    log: Path,
    user: str | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            user=user,
            env=environment,
            cwd="/",
            start_new_session=True,
        )


def _wait_for(server: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    limit = time.monotonic() + START_TIMEOUT_S
    while not ready():
        assert server.poll() is None, _read(log)
        assert time.monotonic() < limit, _read(log)
        time.sleep(0.1)


def _answers(programs: Path, port: int) -> bool:
    command = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(command, check=False).returncode == 0


def _read(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""


def _stop(server: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    if server.poll() is not None:
        return
    os.killpg(server.pid, number)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
