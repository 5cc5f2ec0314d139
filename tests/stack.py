"""A running Discern for tests: ``discern up`` as a user starts it, in a folder of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tests.databases import OwnDatabase

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 40.0


class Stack:
    """Web, worker and model server on loopback, on a database of their own (see
    :mod:`tests.databases`), with the demo's account and library, or with neither.

    ``log`` holds every line written so far. Use it as a context manager.
    """

    def __init__(
        self, home: Path, *, settings: Mapping[str, str] | None = None, demo: bool = True
    ) -> None:
        self.home = home
        self._arguments = ["--demo"] if demo else []
        self.port = _free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.log: list[str] = []
        self._database = OwnDatabase(settings or {})
        self.settings = self._database.settings
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Stack:
        self._database.create()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "discern.cli", "up", *self._arguments, "--port", str(self.port)],
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        stream = self._process.stdout
        if stream is None:
            raise AssertionError("the stack's output is a pipe")
        self._reader = threading.Thread(target=self._copy, args=(stream,), daemon=True)
        self._reader.start()
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("\n".join(["The stack did not stop:", *self.log])) from None
        finally:
            self._database.drop()
        self._reader.join(STOP_TIMEOUT_S)

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        if self._process is None:
            raise AssertionError("the stack is not running")
        return self._process.pid

    def sign_in(self) -> tuple[str, str]:
        """The demo account's user name and password, as printed for a newcomer."""
        text = "\n".join(self.log)
        found = re.search(r"(?i)user(?:name)?\W+(\S+).*?password\W+(\S+)", text, re.DOTALL)
        if found is None:
            raise AssertionError(f"no sign-in was printed:\n{text}")
        return found[1].strip(",;"), found[2].strip(",;│")

    def command(self, *arguments: str) -> str:
        """Runs a ``discern`` command beside the stack and returns its standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "discern.cli", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"discern {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        # As a newcomer's shell has it: nothing of what other tests set for this process.
        foreign = ("DISCERN_", "DJANGO_", "PROMETHEUS_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {**kept, "DISCERN_HOME": str(self.home), **self.settings}

    def _copy(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self.log.append(line.rstrip())

    def _wait_until_ready(self) -> None:
        limit = time.monotonic() + START_TIMEOUT_S
        while not any("Discern is ready at" in line for line in self.log):
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > limit:
                self.__exit__()
                raise AssertionError("\n".join(["The stack did not start:", *self.log]))
            time.sleep(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
