"""Which of the product's programs an answer's processor time goes to.

Runs ``discern up`` whole and asks the site for the mood of one text at a time, from 64 clients.
The processor time of every process is read before and after (``/proc``) and divided by the
answers: what the site adds to the model shows here apart from what the model costs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psutil

from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import adopt_orphans, end_in_order, used_s
from benchmarks.report import middle, number, table, write
from benchmarks.servers import own_servers
from benchmarks.texts import KINDS
from benchmarks.visit import Visit, visit

CLIENTS: Final = 64
# What a program's command line holds that no other's does.
_MARKS: Final = {
    "site": "discern.web.serve",
    "model server": "model-server",
    "worker": "runworker",
}
_REST: Final = "supervisor"
PROGRAMS: Final = (*_MARKS, _REST)


def used(pids: Iterable[int]) -> dict[str, float]:
    """Processor seconds of each program so far, those of its processes added up; a process
    counts with the program that it was forked from."""
    seconds = dict.fromkeys(PROGRAMS, 0.0)
    for pid in pids:
        try:
            seconds[_program(psutil.Process(pid))] += used_s(pid)
        except psutil.NoSuchProcess:
            continue
    return seconds


def _program(process: psutil.Process) -> str:
    for each in (process, *process.parents()):
        line = each.cmdline()
        for name, mark in _MARKS.items():
            if mark in line:
                return name
    return _REST


def _round(here: Visit, kind: str, seconds: float) -> dict[str, float]:
    before = used(here.running.pids())
    result = here.phase(mode="closed", clients=CLIENTS, seconds=seconds, kind=kind)
    if result["other_statuses"] or result["failures"] or result["refused"]:
        raise RuntimeError(f"not every request was answered: {result}")
    after = used(here.running.pids())
    return {
        **{name: (after[name] - before[name]) / result["ok"] * 1000 for name in PROGRAMS},
        "per_s": result["requests_per_s"],
    }


def main() -> int:
    """Writes ``shares.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks shares", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    quick = parser.parse_args().quick
    adopt_orphans()
    end_in_order()
    [site] = [server for server in own_servers() if server.name == "discern-web"]
    result: dict[str, Any] = {"provenance": provenance(command_line("shares")), "kinds": {}}
    for kind in KINDS:
        with visit(site) as here:
            here.phase(mode="closed", clients=CLIENTS, seconds=0.5 if quick else 4.0, kind=kind)
            rounds = [_round(here, kind, 0.5 if quick else 4.0) for _ in range(1 if quick else 5)]
        result["kinds"][kind] = {
            "median": {name: middle(each[name] for each in rounds) for name in rounds[0]},
            "rounds": rounds,
        }
    write("shares", result, _markdown(result), quick=quick)
    return 0


def _markdown(result: Mapping[str, Any]) -> str:
    head = ["texts", *(f"{name}, CPU ms" for name in PROGRAMS), "answers/s"]
    rows = [
        [kind, *(number(found["median"][name], 2) for name in (*PROGRAMS, "per_s"))]
        for kind, found in result["kinds"].items()
    ]
    return "\n\n".join(
        [
            "# What an answer costs, by program",
            sentence(result["provenance"]),
            f"{CLIENTS} clients that each ask the web API for the mood of one text after another. "
            "Processor milliseconds for each answer; medians of five rounds. The load generator is "
            "no part of them.",
            table(head, rows),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
