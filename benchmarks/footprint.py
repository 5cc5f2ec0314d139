"""How soon the servers answer after they are started, and how much memory they take."""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT
from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import (
    Memory,
    Running,
    ServerEnded,
    adopt_orphans,
    end_in_order,
    free_port,
)
from benchmarks.report import middle, number, table, write
from benchmarks.servers import Server, own_servers
from benchmarks.visit import START_TIMEOUT_S, visit

START_GOAL_S: Final = 3.0
MEMORY_GOAL_MB: Final = 600.0


def main() -> int:
    """Writes ``footprint.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks footprint", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    quick = parser.parse_args().quick
    adopt_orphans()
    end_in_order()
    result: dict[str, Any] = {"provenance": provenance(command_line("footprint"))}
    rounds = 1 if quick else 3
    result["servers"] = {
        server.name: _footprint(server, rounds, 1.0 if quick else 3.0) for server in own_servers()
    }
    result["first_run_s"] = middle(_first_run() for _ in range(1 if quick else 2))
    write("footprint", result, _markdown(result), quick=quick)
    return 0


def _footprint(server: Server, rounds: int, seconds: float) -> dict[str, Any]:
    starts, idle, loaded = [], [], []
    for _ in range(rounds):
        with visit(server) as here:
            starts.append(here.first_answer_s)
            idle.append(here.running.memory())
            here.phase(mode="closed", clients=32, seconds=seconds, kind="mixed")
            loaded.append(here.running.memory())
            processes = here.running.pids()
    print(f"  {server.title}: {starts} s, {loaded[-1].pss:.0f} MB", flush=True)
    return {
        "title": server.title,
        "first_answer_s": middle(starts),
        "first_answers_s": starts,
        "processes": len(processes),
        "idle": _memory(idle),
        "loaded": _memory(loaded),
    }


def _memory(samples: list[Memory]) -> dict[str, float | None]:
    return {
        "pss_mb": middle(each.pss for each in samples),
        "rss_mb": middle(each.rss for each in samples),
    }


def _first_run() -> float:
    """Seconds from ``discern up`` in an empty folder, database and all, until it is ready."""
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as scratch:
        port = free_port()
        command = [sys.executable, "-m", "discern.cli", "up", "--port", str(port), "--demo"]
        environment = {"DISCERN_HOME": f"{scratch}/home"}
        began = time.monotonic()
        running = Running(command, environment, folder=ROOT, log=Path(scratch) / "log")
        try:
            while not _ready(port):
                running.check()
                if time.monotonic() - began > START_TIMEOUT_S:
                    raise ServerEnded(f"not ready: {running.log_tail()}")
                time.sleep(0.05)
            return round(time.monotonic() - began, 3)
        finally:
            running.stop()


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _markdown(result: dict[str, Any]) -> str:
    head = ["server", "first answer, s", "idle PSS, MB", "idle RSS, MB"]
    head += ["PSS after load, MB", "RSS after load, MB", "processes"]
    rows = [
        [
            server["title"],
            number(server["first_answer_s"]),
            *(
                number(server[when][kind])
                for when in ("idle", "loaded")
                for kind in ("pss_mb", "rss_mb")
            ),
            server["processes"],
        ]
        for server in result["servers"].values()
    ]
    model_server, product = (result["servers"][name] for name in ("discern", "discern-web"))
    return "\n\n".join(
        [
            "# Start-up and memory",
            sentence(result["provenance"]),
            table(head, rows),
            f"`discern up` in an empty folder, from the command until it says it is ready, "
            f"database and demo account included: {number(result['first_run_s'])} s.",
            f"Goals: the model server's first answer within {START_GOAL_S:g} s "
            f"({_met(model_server['first_answer_s'] <= START_GOAL_S)}); everything `discern up` "
            f"runs within {MEMORY_GOAL_MB:g} MB of PSS after load "
            f"({_met(product['loaded']['pss_mb'] <= MEMORY_GOAL_MB)}).",
        ]
    )


def _met(yes: bool) -> str:
    return "met" if yes else "missed"


if __name__ == "__main__":
    sys.exit(main())
