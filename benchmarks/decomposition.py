"""Where the gain over the blog's app comes from: smaller model, runtime, int8, batching, server."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from benchmarks import plots
from benchmarks.environments import PEERS, ROOT, python_of
from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import adopt_orphans, end_in_order
from benchmarks.report import folder, middle, number, table, write
from benchmarks.servers import blog_servers, model_folder, own_servers
from benchmarks.texts import texts
from benchmarks.visit import visit

CACHE: Final = ROOT / ".build" / "benchmarks" / "distilbert"
CLIENTS: Final = 32
BATCH: Final = 32
KINDS: Final = ("short", "long")
# Name, what it is, the step of peers/decomposition_steps.py, the model's folder, texts at a time.
STEPS: Final = (
    ("pipeline", "transformers pipeline, DistilBERT", "pipeline", None, 1),
    ("torch", "the same network called directly", "torch", None, 1),
    ("ort", "DistilBERT in ONNX Runtime", "onnx", CACHE / "float", 1),
    ("ort-int8", "DistilBERT int8 in ONNX Runtime", "onnx", CACHE / "int8", 1),
    ("small", "Discern's model (MiniLM sizes, int8)", "onnx", None, 1),
    ("batched", f"Discern's model, {BATCH} at a time", "onnx", None, BATCH),
)


def main() -> int:
    """Measures every step in turns and writes ``decomposition.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks decomposition", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    quick = parser.parse_args().quick
    rounds, seconds = (1, 0.5) if quick else (2, 1.5)
    adopt_orphans()
    end_in_order()
    result: dict[str, Any] = {"provenance": provenance(command_line("decomposition"))}
    python = python_of("blog")
    if not (CACHE / "int8" / "model.onnx").exists():
        command = [str(python), "decomposition_steps.py", "export", str(CACHE)]
        subprocess.run(command, cwd=PEERS, env=_environment(None), check=True, capture_output=True)
    measured: dict[str, list[dict[str, float]]] = {name: [] for name, *_ in STEPS}
    for _ in range(rounds):
        for name, _, step, model, batch in STEPS:
            command = [str(python), "decomposition_steps.py", "measure", step, str(seconds)]
            rates = _all_cores([*command, str(batch)], _environment(model))
            measured[name].append(rates)
            print(f"  {name}: {rates}", flush=True)
    served = {server.name: _served(server, 2 * seconds) for server in _servers()}
    result["steps"] = [
        {
            "name": name,
            "title": title,
            **{kind: middle(rates[kind] for rates in measured[name]) for kind in KINDS},
        }
        for name, title, *_ in STEPS
    ]
    result["served"] = served
    result["rounds"] = measured
    write("decomposition", result, _markdown(result), quick=quick)
    plots.decomposition(result, folder(quick=quick) / "decomposition.svg")
    return 0


def _environment(model: Path | None) -> dict[str, str]:
    folder = str(model or model_folder().absolute())
    return {**os.environ, "BENCH_MODEL": folder, "OMP_NUM_THREADS": "1", "BENCH_THREADS": "1"}


def _all_cores(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Texts/s of each kind by as many processes of one thread each as there are cores."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=PEERS,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
            for _ in os.sched_getaffinity(0)
        ]
        _ask_all(processes, [])
        tokenizer = model_folder() / "tokenizer.json"
        return {kind: _ask_all(processes, texts(kind, tokenizer)) for kind in KINDS}


def _ask_all(processes: list[subprocess.Popen[str]], items: list[str]) -> float:
    for process in processes:
        if process.stdin is not None:
            process.stdin.write(json.dumps(items) + "\n")
            process.stdin.flush()
    answers = [process.stdout.readline() for process in processes if process.stdout is not None]
    return round(sum(float(answer) for answer in answers), 2)


def _servers() -> list[Any]:
    blog = {server.name: server for server in blog_servers()}
    return [blog["blog"], blog["blog-pinned"], own_servers()[0]]


def _served(server: Any, seconds: float) -> dict[str, Any]:
    with visit(server) as here:
        here.phase(mode="closed", clients=8, seconds=seconds / 3, kind="short")
        rates = {
            kind: here.phase(mode="closed", clients=CLIENTS, seconds=seconds, kind=kind)
            for kind in KINDS
        }
    return {"title": server.title, **{kind: rates[kind]["requests_per_s"] for kind in KINDS}}


def _markdown(result: dict[str, Any]) -> str:
    rows: list[list[str]] = []
    before: dict[str, Any] = {}
    for step in result["steps"]:
        rows.append([f"{step['title']}", *_cells(step, before)])
        before = step
    served = [[each["title"], *_cells(each, {})] for each in result["served"].values()]
    head = ["step", "short, texts/s", "times the step before", "long", "times the step before"]
    return "\n\n".join(
        [
            "# Where the gain over the blog's app comes from",
            sentence(result["provenance"]),
            "In-process, no server: as many processes of one thread each as there are cores, by "
            "processor time, so that nothing else that runs counts. Each step changes one thing; "
            "the shares multiply.",
            table(head, rows),
            f"The two ends as served, {CLIENTS} clients, requests per second:",
            table(["server", "short", "", "long", ""], served),
            _shares(result),
        ]
    )


def _cells(step: dict[str, Any], before: dict[str, Any]) -> list[str]:
    cells = []
    for kind in KINDS:
        cells.append(number(step[kind]))
        cells.append(number(step[kind] / before[kind]) if before.get(kind) else "")
    return cells


def _shares(result: dict[str, Any]) -> str:
    steps = {step["name"]: step for step in result["steps"]}
    sentences = []
    for kind in KINDS:
        rate = {name: step[kind] for name, step in steps.items()}
        sentences.append(
            f"{kind.capitalize()} texts, from the pipeline to the batched model "
            f"{number(rate['batched'] / rate['pipeline'])} times: leaving the pipeline and torch "
            f"{number(rate['ort'] / rate['pipeline'])}, int8 "
            f"{number(rate['ort-int8'] / rate['ort'])}, the smaller model "
            f"{number(rate['small'] / rate['ort-int8'])}, batching "
            f"{number(rate['batched'] / rate['small'])}."
        )
    return " ".join(sentences)


if __name__ == "__main__":
    sys.exit(main())
