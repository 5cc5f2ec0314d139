"""A running site: ``discern.web.serve`` on a loopback port, in its own folder, on a database of its
own (see :mod:`tests.databases`)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.databases import OwnDatabase

ROOT = Path(__file__).parents[2]
START_TIMEOUT_S = 180.0

# What `discern up` does before it starts anything, in one process.
_PREPARE = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", interactive=False, verbosity=0, run_syncdb=True)
call_command("make_demo")
call_command("create_key", "demo")
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class LiveSite:
    """Migrated, with the demo account and its key. Use it as a context manager.

    ``settings`` are variables of its environment; one that names a database keeps it from having
    one of its own.
    """

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        own = {
            "DISCERN_HOME": str(home),
            "DISCERN_WEB_PORT": str(self.port),
            "DISCERN_RATE_SIGN_IN": "1000/minute",
            "DISCERN_DEMO": "1",
            "DJANGO_SETTINGS_MODULE": "tests.web.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("DISCERN_", "PROMETHEUS"))}
        self._database = OwnDatabase(settings or {})
        self.environment = {**kept, **own, **self._database.settings}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> LiveSite:
        try:
            self._database.create()
            printed = self._run("-c", _PREPARE).split()
            self.sign_in = (printed[1], printed[3])
            self.key = printed[4]
            self.start("discern.web.serve")
            self._wait_until_live()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            self.end(process)
        self._database.drop()

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(
        self, module: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts one of the site's programs; its log goes to a file in the home folder."""
        with (self.home / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env={**self.environment, **(settings or {})},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process

    def log(self, module: str) -> str:
        return (self.home / f"{module}.log").read_text()

    def end(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        """Stops a program and returns its status."""
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process in self._processes:
            self._processes.remove(process)
        return process.returncode

    def client(self, *, key: bool = True) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"} if key else {}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30.0)

    def _wait_until_live(self) -> None:
        limit = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < limit:
            try:
                if httpx.get(f"{self.address}/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.log("discern.web.serve"))
