"""Real PostgreSQL, Redis, RabbitMQ and Prometheus for tests: on loopback, on ports and in folders
of their own, as an unprivileged user where they insist on one, stopped by process id.

``python -m tests.services COMMAND...`` runs a command with ``DISCERN_TEST_DATABASE_URL`` naming a
PostgreSQL of its own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, TypeVar

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 20.0
ServiceT = TypeVar("ServiceT", bound="Service")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def find_program(name: str, *folders: str) -> str | None:
    """The newest program of that name in PATH or in ``folders`` (patterns)."""
    found = shutil.which(name)
    for pattern in folders:
        matches = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"))
        found = str(matches[-1]) if matches else found
    return found


def _base(user: str | None) -> str:
    """Where to make a folder that ``user`` (None: whoever runs this) can reach: the temporary
    folder in use may lie below one that only its owner may enter."""
    choices = [tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]
    if user is None:
        return choices[0]
    for choice in choices:
        folder = Path(choice).resolve()
        walk = [folder, *folder.parents]
        if folder.is_dir() and all(step.stat().st_mode & stat.S_IXOTH for step in walk):
            return str(folder)
    raise AssertionError(f"No temporary folder that {user} can reach; set TMPDIR to one.")


class Service(ABC):
    """One program with its data. Use it as a context manager; ``kill`` and ``start`` again are
    for tests of what happens when it goes away.

    ``user`` is whom to run it as when the tests run as root and the program refuses that."""

    user: str | None = None

    def __init__(self) -> None:
        self.user = self.user if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="discern-service-", dir=_base(self.user)))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)

    @staticmethod
    @abstractmethod
    def missing() -> str | None:
        """Why the service cannot run here, or None."""

    @abstractmethod
    def command(self) -> list[str]:
        """What to start, in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used."""

    def environment(self) -> dict[str, str]:
        return {}

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Makes the data folder, once."""

    def __enter__(self: ServiceT) -> ServiceT:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env={**os.environ, **self.environment()},
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self.user,
            )
        limit = time.monotonic() + START_TIMEOUT_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                text = (self.folder / "log").read_text(errors="replace")
                raise AssertionError(f"{type(self).__name__} did not start:\n{text[-2000:]}")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        _signal(process.pid, number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _signal(process.pid, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """As a crash does it."""
        self.stop(signal.SIGKILL)

    def run(self, *command: str) -> str:
        """Runs a helper program of the service as its user."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.environment()},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=self.user,
        )
        if done.returncode:
            raise AssertionError(f"{command[0]}: {done.stderr or done.stdout}")
        return done.stdout


class PostgreSQL(Service):
    """A cluster of its own; ``url`` names an empty database."""

    user = "postgres"
    _folders = ("/usr/lib/postgresql/*/bin",)

    @staticmethod
    def missing() -> str | None:
        found = find_program("initdb", *PostgreSQL._folders)
        return None if found else "PostgreSQL is not installed (Debian: postgresql)"

    @property
    def url(self) -> str:
        return f"postgresql://discern@127.0.0.1:{self.port}/discern"

    def program(self, name: str) -> str:
        found = find_program(name, *self._folders)
        if found is None:
            raise AssertionError(f"PostgreSQL has no {name}")
        return found

    def prepare(self) -> None:
        self.run(
            self.program("initdb"),
            *("-D", str(self.folder / "data"), "-U", "discern", "-A", "trust"),
            *("--encoding", "UTF8", "--no-locale"),
        )

    def command(self) -> list[str]:
        return [
            self.program("postgres"),
            *("-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
        ]

    def answers(self) -> bool:
        psql = [self.program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "discern"]
        found = subprocess.run(
            [*psql, "-d", "postgres", "-tAc", "select datname from pg_database"],
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode:
            return False
        if "discern" not in found.stdout.split():
            self.run(*psql, "-d", "postgres", "-c", "create database discern")
        return True

    def stop(self, number: int = signal.SIGINT) -> None:
        super().stop(number)


class Redis(Service):
    """A broker that forgets when it is killed, as most are set up."""

    @staticmethod
    def missing() -> str | None:
        return None if find_program("redis-server") else "Redis is not installed (redis-server)"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            "redis-server",
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no"),
        ]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class RabbitMQ(Service):
    """A node of its own, with a port mapper of its own. Started by the broker's own script: the
    one that Debian puts in PATH changes the account, and with it who may write where."""

    _folders = ("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",)

    def __init__(self) -> None:
        super().__init__()
        self._mapper_port, self._distribution_port = free_port(), free_port()
        self._name = f"discern{self.port}@localhost"

    @staticmethod
    def missing() -> str | None:
        found = find_program("rabbitmq-server", *RabbitMQ._folders)
        return None if found else "RabbitMQ is not installed (rabbitmq-server)"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def environment(self) -> dict[str, str]:
        data = self.folder / "data"
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(data),
            "RABBITMQ_MNESIA_DIR": str(data / "node"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(data / "feature_flags"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(data / "config"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def prepare(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "data" / "node").mkdir(parents=True)

    def command(self) -> list[str]:
        found = find_program("rabbitmq-server", *self._folders)
        if found is None:
            raise AssertionError("RabbitMQ is not installed")
        return [found]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.settimeout(2)
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self.stop()
        # The port mapper is a daemon that the node leaves behind.
        subprocess.run(
            ["epmd", "-port", str(self._mapper_port), "-kill"],
            env={**os.environ, **self.environment()},
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self.folder, ignore_errors=True)


class Prometheus(Service):
    """Does as ``configuration`` says, which is YAML; it scrapes nothing where that is empty."""

    def __init__(self, configuration: str = "") -> None:
        super().__init__()
        self._configuration = configuration

    @staticmethod
    def missing() -> str | None:
        return None if find_program("prometheus") else "Prometheus is not installed (prometheus)"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        (self.folder / "prometheus.yml").write_text(self._configuration)

    def command(self) -> list[str]:
        return [
            "prometheus",
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(64)
        except OSError:
            return False


def _signal(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def main(command: list[str]) -> int:
    if reason := PostgreSQL.missing():
        sys.stderr.write(f"{reason}\n")
        return 2
    with PostgreSQL() as database:
        environment = {**os.environ, "DISCERN_TEST_DATABASE_URL": database.url}
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
