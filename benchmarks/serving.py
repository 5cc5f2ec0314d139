"""The model server beside its peers and the blog's Flask app: requests/s, latency, CPU, memory."""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks import plots, serving_report
from benchmarks.environments import ROOT
from benchmarks.machine import command_line, provenance
from benchmarks.processes import ServerEnded, adopt_orphans, end_in_order
from benchmarks.report import folder, middle, write
from benchmarks.servers import (
    Server,
    blog_servers,
    own_servers,
    peer_servers,
    scores_in,
    version,
)
from benchmarks.texts import KINDS
from benchmarks.visit import Visit, visit

CLIENTS: Final = (1, 8, 32, 64)
FIGURES: Final = ("requests_per_s", "p50_ms", "p99_ms", "server_cpu_ms", "server_cores")
# Two int8 sums over different batches differ; two models differ by more than this.
TOLERANCE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """How long everything takes. A slow server is visited in the first ``slow_rounds`` rounds."""

    rounds: int
    seconds: float
    slow_rounds: int
    slow_seconds: float
    warm_up_s: float
    clients: tuple[int, ...] = CLIENTS
    kinds: tuple[str, ...] = KINDS


FULL: Final = Plan(rounds=3, seconds=1.2, slow_rounds=1, slow_seconds=4.0, warm_up_s=1.0)
SMALL: Final = Plan(
    rounds=1, seconds=0.5, slow_rounds=1, slow_seconds=1.0, warm_up_s=0.3,
    clients=(1, 32), kinds=("short",),
)  # fmt: skip


def main() -> int:
    """Runs all rounds, writes ``serving.json``, ``.md`` and the plots; 1 if ours did not run."""
    arguments = _arguments()
    plan = SMALL if arguments.quick else FULL
    if arguments.rounds:
        plan = replace(plan, rounds=arguments.rounds)
    adopt_orphans()
    end_in_order()
    model_server, web = own_servers()
    servers = [model_server, *peer_servers(), web, *blog_servers()]
    if arguments.servers:
        servers = [each for each in servers if each.name in arguments.servers.split(",")]
    result: dict[str, Any] = {"provenance": provenance(command_line("serving"))}
    visits, failures, ceilings = _rounds(servers, plan, arguments.minutes * 60)
    result["ceiling"] = {kind: _best_batch(ceilings, kind) for kind in KINDS}
    result["servers"] = {
        each.name: _summary(each, visits[each.name]) for each in servers if visits[each.name]
    }
    result["failures"] = failures
    result["ratios"] = serving_report.ratios(result)
    result["rounds"] = {"ceilings": ceilings, "visits": visits}
    write("serving", result, serving_report.markdown(result), quick=arguments.quick)
    plots.serving(result, folder(quick=arguments.quick) / "serving.svg")
    return 0 if "discern" in result["servers"] or arguments.servers else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    parser.add_argument("--rounds", type=int, help=f"default {FULL.rounds}")
    parser.add_argument("--minutes", type=float, default=60, help="begin no visit after so long")
    parser.add_argument("--servers", help="only these, by commas; the blog's is 'blog'")
    return parser.parse_args()


def _rounds(
    servers: list[Server], plan: Plan, seconds: float
) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str], list[dict[str, Any]]]:
    # One server runs at a time, and all take turns in every round: what else the machine does then
    # falls on all alike, and no idle server takes processor time from the one that is measured.
    visits: dict[str, list[dict[str, Any]]] = defaultdict(list)
    failures: dict[str, str] = {}
    ceilings = []
    end = time.monotonic() + seconds
    for number in range(plan.rounds):
        print(f"round {number + 1} of {plan.rounds}", flush=True)
        ceilings.append(_ceiling(plan.seconds * 2))
        truth = ceilings[-1]["answer"]["scores"]
        for server in servers:
            if server.name in failures or (server.only and number >= plan.slow_rounds):
                continue
            if time.monotonic() > end:
                if server.name not in visits:
                    failures[server.name] = "the time given was over"
                continue
            try:
                with visit(server) as here:
                    visits[server.name].append(_measure(here, plan, truth))
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                failures[server.name] = f"{type(error).__name__}: {error}"
                print(f"  {server.name} failed: {error}", flush=True)
    return visits, failures, ceilings


def _best_batch(ceilings: list[dict[str, Any]], kind: str) -> dict[str, float]:
    """Medians of the best batch size; the best of every round would keep each round's luck."""
    medians = [
        {
            "batch": int(size),
            **{
                figure: middle(each[kind][size][figure] for each in ceilings) or 0.0
                for figure in ("texts_per_s", "cpu_ms")
            },
        }
        for size in ceilings[0][kind]
    ]
    return max(medians, key=lambda each: each["texts_per_s"])


def _ceiling(seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ceiling", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    rates: dict[str, Any] = json.loads(done.stdout)
    return rates


def _measure(here: Visit, plan: Plan, truth: dict[str, float]) -> dict[str, Any]:
    server = here.server
    if server.same_model and not agree(scores_in(here.first_answer) or {}, truth):
        raise ServerEnded(f"it serves another model: {here.first_answer} instead of {truth}")
    cells = {}
    here.phase(mode="closed", clients=8, seconds=plan.warm_up_s, kind="mixed")
    for kind in plan.kinds:
        for clients in plan.clients:
            if server.only and clients not in server.only.get(kind, ()):
                continue
            seconds = plan.slow_seconds if server.only else plan.seconds
            cells[f"{kind}-{clients}"] = _lean(
                here.phase(mode="closed", clients=clients, seconds=seconds, kind=kind)
            )
    memory = here.running.memory()
    busiest = list(cells)[len(plan.clients) - 1 if not server.only else -1]
    print(
        f"  {server.title}: first answer {here.first_answer_s:.1f} s, {busiest} clients "
        f"{cells[busiest]['requests_per_s']:.0f} requests/s, p99 {cells[busiest]['p99_ms']} ms, "
        f"{memory.pss:.0f} MB",
        flush=True,
    )
    return {
        "first_answer_s": here.first_answer_s,
        "first_answer": here.first_answer,
        "rss_mb": round(memory.rss, 1),
        "pss_mb": round(memory.pss, 1),
        "processes": len(here.running.pids()),
        "cells": cells,
    }


def _lean(phase: dict[str, Any]) -> dict[str, Any]:
    left_out = ("last_body", "instants")
    return {name: value for name, value in phase.items() if name not in left_out}


def _summary(server: Server, visits: list[dict[str, Any]]) -> dict[str, Any]:
    cells = {
        cell: {
            **{
                figure: middle(each["cells"][cell][figure] for each in visits) for figure in FIGURES
            },
            "not_ok": sum(_not_ok(each["cells"][cell]) for each in visits),
        }
        for cell in visits[0]["cells"]
    }
    return {
        "title": server.title,
        "version": version(server),
        "rounds": len(visits),
        "same_model": server.same_model,
        "first_answer_s": middle(each["first_answer_s"] for each in visits),
        "pss_mb": middle(each["pss_mb"] for each in visits),
        "rss_mb": middle(each["rss_mb"] for each in visits),
        "cells": cells,
    }


def _not_ok(cell: dict[str, Any]) -> int:
    counts = [cell["refused"], *cell["failures"].values(), *cell["other_statuses"].values()]
    return sum(map(int, counts))


def agree(first: dict[str, float], second: dict[str, float]) -> bool:
    """Whether two servers' scores are those of one model (int8 sums differ a little by batch)."""
    return first.keys() == second.keys() and all(
        math.isclose(first[label], second[label], abs_tol=TOLERANCE) for label in first
    )


if __name__ == "__main__":
    sys.exit(main())
