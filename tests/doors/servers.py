"""Starts real model server processes on ports the system chooses, and ends them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PATIENCE_S = 60.0
BODY = {"text": "good good"}


@dataclass
class RunningServer:
    """A model server's process, address and log."""

    process: subprocess.Popen[str]
    token: str | None = None
    url: str = ""
    log: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def client(self, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S, **options)

    def stop(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def wait_until_ready(self) -> None:
        with self.client() as client:
            until(lambda: client.get("/health/ready").status_code == 200, self)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.log.append(line)
                if found := re.search(r"listens on (http://\S+)", line):
                    self.url = found[1]

    def end_all(self) -> None:
        """Ends the server and whatever it left behind, which would keep its output open."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def model_server(home: Path, *, ready: bool = True, **settings: object) -> Iterator[RunningServer]:
    """Runs ``discern model-server`` over the models of ``home``; further settings as the
    environment names them, in lower case."""
    environment = {name: v for name, v in os.environ.items() if not name.startswith("DISCERN_")}
    environment |= {"DISCERN_HOME": str(home), "DISCERN_MODEL_SERVER_PORT": "0"}
    environment |= {f"DISCERN_MODEL_SERVER_{n.upper()}": str(v) for n, v in settings.items()}
    environment.setdefault("DISCERN_MODEL_SERVER_MODELS", "")
    process = subprocess.Popen(
        [sys.executable, "-m", "discern.cli", "model-server"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    token = settings.get("token")
    server = RunningServer(process, token=None if token is None else str(token))
    reader = threading.Thread(target=server._read, daemon=True)
    reader.start()
    try:
        until(lambda: bool(server.url), server)
        if ready:
            server.wait_until_ready()
        yield server
    finally:
        server.end_all()
        reader.join(PATIENCE_S)


def until(condition: Any, server: RunningServer | None = None) -> None:
    """Waits for a condition; a connection refused meanwhile counts as not yet."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        if server is not None and server.process.poll() is not None and not server.url:
            raise AssertionError("the server ended: " + "".join(server.log))
        log = "".join(server.log) if server else ""
        assert time.monotonic() < end, f"waited too long\n{log}"
        time.sleep(0.02)


def metric(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples that carry these labels."""
    total = 0.0
    for line in text.splitlines():
        found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
        if found and found[1] == name:
            own = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
            if all(own.get(key) == value for key, value in labels.items()):
                total += float(found[3])
    return total


def in_flight(client: httpx.Client) -> float:
    """How many requests are under way, without the one that asks."""
    return metric(client.get("/metrics").text, "discern_requests_in_flight") - 1
