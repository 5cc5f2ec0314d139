"""Half an hour of steady mixed traffic: does memory stay flat and every request get its answer?"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, Final

from benchmarks import plots
from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import adopt_orphans, end_in_order
from benchmarks.report import folder, middle, number, table, write
from benchmarks.servers import own_servers
from benchmarks.visit import visit

BY_NAME_ONLY: Final = True
CHUNK_S: Final = 10.0
CONNECTIONS: Final = 256
# Memory counts as flat when the last tenth of the run lies no higher than this above the second
# tenth: caches and allocator arenas fill in the first.
GROWTH: Final = 0.03


def main() -> int:
    """Writes ``soak.json``, ``.md`` and ``.svg``; 1 when memory grew or a request failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--server", default="discern", help="discern or discern-web")
    parser.add_argument("--quick", action="store_true", help="one minute, which proves nothing")
    arguments = parser.parse_args()
    minutes = 1.0 if arguments.quick else arguments.minutes
    adopt_orphans()
    end_in_order()
    result: dict[str, Any] = {"provenance": provenance(command_line("soak"))}
    server = next(each for each in own_servers() if each.name == arguments.server)
    result |= {"server": server.title, "minutes": minutes, "rate": arguments.rate}
    with visit(server) as here:
        result["samples"] = _samples(here, minutes * 60, arguments.rate)
    result |= _verdict(result["samples"])
    name = "soak" if server.name == "discern" else f"soak_{server.name}"
    write(name, result, _markdown(result), quick=arguments.quick)
    plots.soak(result, folder(quick=arguments.quick) / f"{name}.svg")
    return 0 if result["flat"] and not result["failed"] else 1


def _samples(here: Any, seconds: float, rate: float) -> list[dict[str, Any]]:
    began = time.monotonic()
    samples = []
    while (elapsed := time.monotonic() - began) < seconds:
        chunk = here.phase(
            mode="open", rate=rate, clients=CONNECTIONS, seconds=CHUNK_S, kind="mixed"
        )
        memory = here.running.memory()
        samples.append(
            {
                "minute": round(elapsed / 60, 2),
                "anonymous_mb": round(memory.anonymous, 2),
                "rss_mb": round(memory.rss, 2),
                "ok": chunk["ok"],
                "refused": chunk["refused"],
                "failed": chunk["sent"] - chunk["ok"] - chunk["refused"],
                "p99_ms": chunk["p99_ms"],
                "server_cpu_ms": chunk["server_cpu_ms"],
            }
        )
    return samples


def _verdict(samples: list[dict[str, Any]]) -> dict[str, Any]:
    tenth = max(len(samples) // 10, 1)
    second = samples[tenth : 2 * tenth] or samples[:tenth]
    early = middle(each["anonymous_mb"] for each in second) or 0.0
    late = middle(each["anonymous_mb"] for each in samples[-tenth:]) or 0.0
    return {
        "requests": sum(each["ok"] for each in samples),
        "refused": sum(each["refused"] for each in samples),
        "failed": sum(each["failed"] for each in samples),
        "early_mb": early,
        "late_mb": late,
        "most_mb": max(each["anonymous_mb"] for each in samples),
        "rss_most_mb": max(each["rss_mb"] for each in samples),
        "p99_ms": middle(each["p99_ms"] for each in samples),
        "flat": late <= early * (1 + GROWTH),
    }


def _markdown(result: dict[str, Any]) -> str:
    rows = [
        ["requests answered", f"{result['requests']:,}"],
        ["refused with 429 or 503", f"{result['refused']:,}"],
        ["failed", f"{result['failed']:,}"],
        ["allocated in the second tenth of the run, MB", number(result["early_mb"], 4)],
        ["allocated in the last tenth, MB", number(result["late_mb"], 4)],
        ["most ever allocated, MB", number(result["most_mb"], 4)],
        ["highest RSS, MB", number(result["rss_most_mb"], 4)],
        ["median p99 of ten seconds, ms", number(result["p99_ms"])],
        [f"memory flat (at most {GROWTH:.0%} more)", "yes" if result["flat"] else "no"],
    ]
    return "\n\n".join(
        [
            f"# Soak of the {result['server']}",
            sentence(result["provenance"]),
            f"{result['minutes']:g} minutes of mixed texts, {result['rate']:g} requests a second.",
            table(["", "figure"], rows),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
