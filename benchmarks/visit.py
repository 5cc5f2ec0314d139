"""One visit to one server: start it, wait for its first answer, load it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT
from benchmarks.processes import Running, ServerEnded, free_port, loopback_only
from benchmarks.servers import ASKED, Server, model_folder
from benchmarks.texts import KINDS, texts

START_TIMEOUT_S: Final = 180.0
_POLL_S: Final = 0.02


class Visit:
    """A running server and the load generator that talks to it.

    ``first_answer_s`` is the time from starting the program to its first right answer.
    """

    def __init__(self, server: Server, running: Running, generator: subprocess.Popen[str]) -> None:
        self.server = server
        self.running = running
        self._generator = generator
        self.first_answer_s = 0.0
        self.first_answer: Any = None

    def phase(self, **phase: Any) -> dict[str, Any]:
        """Runs one phase of load (see :mod:`benchmarks.load`) and adds what it cost the server:
        ``server_cpu_ms`` for each request answered with 200, so that refusing many does not look
        cheap, and ``server_cores`` used."""
        before = self.running.cpu_s()
        result = self._tell(phase)
        used = self.running.cpu_s() - before
        answered = result["ok"]
        result["server_cpu_ms"] = round(used / answered * 1000, 3) if answered else None
        result["server_cores"] = round(used / result["seconds"], 2)
        return result

    def _tell(self, line: dict[str, Any]) -> dict[str, Any]:
        if self._generator.stdin is None or self._generator.stdout is None:
            raise ServerEnded("the load generator has no pipes")
        self._generator.stdin.write(json.dumps(line) + "\n")
        self._generator.stdin.flush()
        answer = self._generator.stdout.readline()
        if not answer:
            raise ServerEnded("the load generator ended")
        result: dict[str, Any] = json.loads(answer)
        return result


@contextlib.contextmanager
def visit(server: Server) -> Iterator[Visit]:
    """Starts ``server`` and yields when it has answered once; stops it at the end.

    Raises:
        ServerEnded: it ended or did not answer within 3 minutes.
        PermissionError: it needs a network namespace and this user may not make one.
    """
    with contextlib.ExitStack() as stack:
        prefix: list[str] = []
        if server.isolated:
            prefix = stack.enter_context(loopback_only(f"discern-bench-{os.getpid()}"))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="discern-bench-")))
        (scratch / "home").mkdir()
        own_environment, headers = server.prepare(scratch / "home")
        port = free_port(server.ports)
        command = server.command(port)
        generator = stack.enter_context(_generator(server, port, prefix, headers))
        environment = {
            "BENCH_MODEL": str(model_folder().absolute()),
            "BENCH_PORT": str(port),
            "TMPDIR": str(scratch),
            **server.environment,
            **own_environment,
        }
        began = time.monotonic()
        running = Running(
            [*prefix, *command],
            environment,
            folder=server.folder,
            log=scratch / "log",
            bystanders=[generator.pid],
        )
        stack.callback(running.stop)
        here = Visit(server, running, generator)
        here.first_answer = _first_answer(here, began)
        yield here


def _first_answer(here: Visit, began: float) -> Any:
    while time.monotonic() - began < START_TIMEOUT_S:
        here.running.check()
        result = here._tell({"mode": "probe", "kind": "first", "seconds": 0.0001, "pause": 0})
        if result["ok"]:
            here.first_answer_s = round(time.monotonic() - began, 3)
            return json.loads(result["last_body"])
        time.sleep(_POLL_S)
    raise ServerEnded(f"no answer within {START_TIMEOUT_S:g} s: {here.running.log_tail()}")


@contextlib.contextmanager
def _generator(
    server: Server, port: int, prefix: list[str], headers: dict[str, str]
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "benchmarks.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    tokenizer = model_folder() / "tokenizer.json"
    bodies = {kind: [server.body(text) for text in texts(kind, tokenizer)] for kind in KINDS}
    bodies["first"] = [server.body(ASKED)]
    target = {
        "host": "127.0.0.1",
        "port": port,
        "path": server.path,
        "headers": {**server.headers, **headers},
        "bodies": bodies,
    }
    try:
        if process.stdin is not None:
            process.stdin.write(json.dumps(target) + "\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.communicate()
