"""How much of what this machine can do is left after HTTP, limits, metrics and the token.

``python -m benchmarks.model_server [--seconds 3] [--rounds 5]`` takes turns: the ceiling (the same
model in one process, 64 texts waiting, batched by length, both cores), then the server at 1, 8, 32
and 64 clients, and so on for several rounds, so that a machine that slows down slows all of them.
It prints and keeps the median of each and the ratio to the ceiling, by wall clock and by processor
time. The second is the one to trust where something else runs: the load generator is a process of
its own that shares the cores, and its own processor time is told beside.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import click

from benchmarks.environments import ROOT
from benchmarks.processes import adopt_orphans
from benchmarks.servers import model_folder, own_servers
from benchmarks.texts import KINDS, texts
from benchmarks.visit import Visit, visit
from discern.catalog.manifest import load_bundle
from discern.engine.options import EngineOptions
from discern.engine.sentiment import LoadedSentiment

CLIENTS: Final = (1, 8, 32, 64)
WAITING: Final = 64
RESULT: Final = ROOT / "benchmarks" / "results" / "model_server.json"


class Ceiling:
    """The model in this process, with as many texts waiting as the most clients."""

    def __init__(self, folder: Path) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # as in the server
        self._model = LoadedSentiment(load_bundle(folder), EngineOptions())

    def measure(self, items: list[str], seconds: float) -> dict[str, float]:
        """Texts/s and processor milliseconds for each text, tokenizing included."""
        done, cpu, began = 0, time.process_time(), time.perf_counter()
        while time.perf_counter() < began + seconds:
            start = done % len(items)
            done += len(self._model.analyze(items[start : start + WAITING]))
        took = time.perf_counter() - began
        return {
            "per_s": done / took,
            "cpu_ms": (time.process_time() - cpu) / done * 1000,
        }

    def close(self) -> None:
        self._model.close()


def rounds(kind: str, seconds: float, count: int) -> dict[str, Any]:
    """Every figure of every round for one kind of text."""
    items = texts(kind, model_folder() / "tokenizer.json")
    ceiling = Ceiling(model_folder())
    figures: dict[str, list[dict[str, float]]] = {"ceiling": []}
    with visit(own_servers()[0]) as here:
        ceiling.measure(items, seconds / 4)
        here.phase(mode="closed", clients=32, seconds=seconds / 4, kind=kind)
        for _ in range(count):
            figures["ceiling"].append(ceiling.measure(items, seconds))
            for clients in CLIENTS:
                figures.setdefault(str(clients), []).append(_visit(here, clients, kind, seconds))
        memory = here.running.memory()
        first = here.first_answer_s
    ceiling.close()
    return {"figures": figures, "first_answer_s": first, "rss_mb": round(memory.rss, 1)}


def _visit(here: Visit, clients: int, kind: str, seconds: float) -> dict[str, float]:
    result = here.phase(mode="closed", clients=clients, seconds=seconds, kind=kind)
    if result["other_statuses"] or result["failures"] or result["refused"]:
        raise RuntimeError(f"not every request was answered: {result}")
    return {
        "per_s": result["requests_per_s"],
        "cpu_ms": result["server_cpu_ms"],
        "p50_ms": result["p50_ms"],
        "p99_ms": result["p99_ms"],
        "generator_cpu_ms": result["generator_cpu_s"] / result["ok"] * 1000,
    }


def medians(figures: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Medians over the rounds, and each round's ratio to its own ceiling."""
    summary: dict[str, dict[str, float]] = {}
    for name, found in figures.items():
        summary[name] = {key: round(median(item[key] for item in found), 3) for key in found[0]}
        pairs = list(zip(figures["ceiling"], found, strict=True))
        summary[name]["wall_ratio"] = round(median(b["per_s"] / a["per_s"] for a, b in pairs), 3)
        summary[name]["cpu_ratio"] = round(median(a["cpu_ms"] / b["cpu_ms"] for a, b in pairs), 3)
    return summary


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Length of one phase.")
@click.option("--rounds", "count", default=5, show_default=True)
@click.option("--kind", type=click.Choice(KINDS), multiple=True, default=KINDS[:1])
def main(seconds: float, count: int, kind: tuple[str, ...]) -> None:
    """Compares the server with its own ceiling."""
    adopt_orphans()
    result: dict[str, Any] = {
        "command": f"python -m benchmarks.model_server --seconds {seconds:g} --rounds {count}",
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processors": len(os.sched_getaffinity(0)),
        "load_average_before": os.getloadavg()[0],
        "model": load_bundle(model_folder()).manifest.name,
    }
    for name in kind:
        measured = rounds(name, seconds, count)
        measured["median"] = medians(measured["figures"])
        result[name] = measured
        click.echo(f"{name}: {measured['first_answer_s']} s to the first answer")
        for who, row in measured["median"].items():
            click.echo(f"  {who:>8}  {json.dumps(row)}")
    result["load_average_after"] = os.getloadavg()[0]
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
