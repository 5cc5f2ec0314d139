"""How much of what this machine can do is left after HTTP, limits, metrics and the token.

Takes turns: the ceiling (:mod:`benchmarks.ceiling`: the same model in one process, 64 texts
waiting, batched as well as can be, both cores), then the server at 1, 8, 32 and 64 clients, and so
on for several rounds, so that a machine that slows down slows all of them; then the same with the
web API; all of it with short, long and mixed texts. Each round's ratio is to the ceiling measured
just before it, by wall clock and by processor time. The second is the one to trust where something
else runs: the load generator is a process of its own that shares the cores, and its own processor
time is told beside.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Final

from benchmarks.ceiling import BATCHES, batches, rate
from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import adopt_orphans, end_in_order
from benchmarks.report import middle, number, table, write
from benchmarks.servers import Server, model_folder, own_servers
from benchmarks.texts import KINDS, texts
from benchmarks.visit import Visit, visit

CLIENTS: Final = (1, 8, 32, 64)
GOALS: Final = {"discern": 0.9, "discern-web": 0.5}
BUSY: Final = ("32", "64")
Figures = dict[str, float | None]


class Ceiling:
    """The model in this process, as :mod:`benchmarks.ceiling` measures it."""

    def __init__(self, kind: str, seconds: float) -> None:
        os.environ["BENCH_MODEL"] = str(model_folder())
        from benchmarks.peers.sentiment import Sentiment  # reads the environment when imported

        self._models = [Sentiment(1) for _ in os.sched_getaffinity(0)]
        items = texts(kind, model_folder() / "tokenizer.json")
        tried = {size: batches(items, size) for size in BATCHES}
        rates = {size: rate(self._models, tried[size], seconds)["texts_per_s"] for size in tried}
        self.batch = max(rates, key=rates.__getitem__)
        self._batches = tried[self.batch]

    def measure(self, seconds: float) -> Figures:
        """Texts/s and processor milliseconds for each text, tokenizing included."""
        found = rate(self._models, self._batches, seconds)
        return {"per_s": found["texts_per_s"], "cpu_ms": found["cpu_ms"]}


def rounds(server: Server, kind: str, seconds: float, count: int) -> dict[str, Any]:
    """Every figure of every round of one server for one kind of text."""
    ceiling = Ceiling(kind, seconds / 2)
    figures: dict[str, list[Figures]] = {"ceiling": []}
    with visit(server) as here:
        here.phase(mode="closed", clients=32, seconds=seconds, kind=kind)
        for _ in range(count):
            figures["ceiling"].append(ceiling.measure(seconds))
            for clients in CLIENTS:
                figures.setdefault(str(clients), []).append(_visit(here, clients, kind, seconds))
        memory = here.running.memory()
    return {
        "batch": ceiling.batch,
        "first_answer_s": here.first_answer_s,
        "pss_mb": round(memory.pss, 1),
        "median": medians(figures),
        "rounds": figures,
    }


def _visit(here: Visit, clients: int, kind: str, seconds: float) -> Figures:
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


def medians(figures: dict[str, list[Figures]]) -> dict[str, Figures]:
    """Medians over the rounds, and of each round's ratios to its own ceiling."""
    summary: dict[str, Figures] = {}
    for name, found in figures.items():
        summary[name] = {key: middle(each[key] for each in found) for key in found[0]}
        pairs = list(zip(figures["ceiling"], found, strict=True))
        summary[name]["of_ceiling"] = middle(_ratio(b["per_s"], a["per_s"]) for a, b in pairs)
        summary[name]["of_ceiling_by_cpu"] = middle(
            _ratio(a["cpu_ms"], b["cpu_ms"]) for a, b in pairs
        )
    return summary


def _ratio(first: float | None, second: float | None) -> float | None:
    return first / second if first and second else None


def main() -> int:
    """Writes ``model_server.json`` and ``.md``; 1 when a goal was missed by processor time."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks model_server", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    parser.add_argument("--seconds", type=float, help="length of one phase, default 2")
    parser.add_argument("--rounds", type=int, help="default 4")
    parser.add_argument(
        "--kind", choices=KINDS, action="append", help="may be repeated; all if left out"
    )
    arguments = parser.parse_args()
    seconds = arguments.seconds or (0.5 if arguments.quick else 2.0)
    count = arguments.rounds or (1 if arguments.quick else 4)
    adopt_orphans()
    end_in_order()
    result: dict[str, Any] = {"provenance": provenance(command_line("model_server"))}
    result["kinds"] = {}
    for kind in arguments.kind or KINDS:
        result["kinds"][kind] = {
            server.name: {"title": server.title, **rounds(server, kind, seconds, count)}
            for server in own_servers()
        }
    write("model_server", result, _markdown(result), quick=arguments.quick)
    return 0 if arguments.quick or not _missed(result) else 1


def _missed(result: dict[str, Any]) -> list[str]:
    missed = []
    for kind, servers in result["kinds"].items():
        for name, goal in GOALS.items():
            for clients in BUSY:
                found = servers[name]["median"][clients]
                share = found["of_ceiling_by_cpu" if name == "discern" else "of_ceiling"]
                if share < goal:
                    title = f"{servers[name]['title']}, {kind} texts, {clients} clients"
                    missed.append(f"{title}: {share:.2f}")
    return missed


def _markdown(result: dict[str, Any]) -> str:
    parts = ["# Discern beside its own ceiling", sentence(result["provenance"]), _METHOD]
    head = ["", "per second", "CPU ms each", "p50 ms", "p99 ms"]
    head += ["of the ceiling", "by CPU", "generator's CPU ms"]
    for kind, server in (
        (kind, server) for kind, servers in result["kinds"].items() for server in servers.values()
    ):
        rows = []
        for name, found in server["median"].items():
            title = f"{name} clients" if name.isdigit() else f"ceiling, {server['batch']} at a time"
            shown = ("per_s", "cpu_ms", "p50_ms", "p99_ms", "of_ceiling", "of_ceiling_by_cpu")
            cells = [number(found.get(key)) for key in (*shown, "generator_cpu_ms")]
            rows.append([title, *cells])
        parts += [
            f"## {server['title']}, {kind} texts",
            f"First answer after {number(server['first_answer_s'])} s, "
            f"{number(server['pss_mb'])} MB after the load.",
            table(head, rows),
        ]
    missed = "; ".join(_missed(result)) or "none"
    parts.append(f"Goals missed (model server 0.9 by CPU, web API 0.5): {missed}.")
    return "\n\n".join(parts)


_METHOD: Final = """
The ceiling is the same model in one process without a server, with 64 texts waiting, tokenized and
batched in as many threads as there are cores, at the batch size that is fastest here. It and the
server take turns; figures are medians over rounds, ratios to the same round's ceiling. The server
shares the cores with the load generator, whose processor time is told beside.
""".strip().replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
