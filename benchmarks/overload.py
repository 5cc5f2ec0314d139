"""Ten times the requests the server can take: who is refused, how, and how soon it recovers."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import adopt_orphans, end_in_order
from benchmarks.report import middle, number, table, write
from benchmarks.servers import own_servers
from benchmarks.visit import Visit, visit
from discern.model_server.settings import load_settings

TIMES: Final = 10
CONNECTIONS: Final = 2000
BOUND: Final = 2  # times the longest wait that the server allows
RECOVERY_GOAL_S: Final = 1.0
CALM: Final = 10  # probes in a row that must be as fast as before the load
SLACK: Final = 3.0  # times the slowest of the probes before the load


def main() -> int:
    """Writes ``overload.json`` and ``.md``; 1 when a server broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks overload", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    parser.add_argument("--server", default="discern", help="discern or discern-web")
    arguments = parser.parse_args()
    adopt_orphans()
    end_in_order()
    server = next(each for each in own_servers() if each.name == arguments.server)
    # Work that would wait longer than this is refused; the rest of the bound is for everything
    # else: connecting, being read, running, and the generator's own delay.
    bound_s = BOUND * load_settings().max_wait_s
    result: dict[str, Any] = {
        "bound_s": bound_s,
        "provenance": provenance(command_line("overload")),
    }
    rounds, seconds = (1, 2.0) if arguments.quick else (3, 10.0)
    with visit(server) as here:
        before = here.running.pids()
        result["rounds"] = [_round(here, seconds) for _ in range(rounds)]
        result["same_processes"] = before <= here.running.pids()
    result |= {"server": server.title, **_summary(result["rounds"], bound_s)}
    name = "overload" if server.name == "discern" else f"overload_{server.name}"
    write(name, result, _markdown(result), quick=arguments.quick)
    return 0 if result["same_processes"] and not result["broken"] else 1


def _round(here: Visit, seconds: float) -> dict[str, Any]:
    capacity = here.phase(mode="closed", clients=64, seconds=seconds / 4, kind="short")
    calm = here.phase(mode="probe", seconds=1.0, kind="short")
    rate = round(TIMES * capacity["requests_per_s"])
    flood = here.phase(mode="open", rate=rate, clients=CONNECTIONS, seconds=seconds, kind="short")
    after = here.phase(mode="probe", seconds=3.0, kind="short")
    slowest = max(took for _, took, _ in calm["instants"])
    found = {
        "capacity_per_s": capacity["requests_per_s"],
        "capacity_p99_ms": capacity["p99_ms"],
        "offered_per_s": rate,
        "sent_per_s": round(_sent(flood) / seconds, 1),
        "accepted_per_s": round(flood["ok"] / flood["seconds"], 1),
        "accepted_p50_ms": flood["p50_ms"],
        "accepted_p99_ms": flood["p99_ms"],
        "refused": flood["refused"],
        "refused_p99_ms": flood["refused_p99_ms"],
        "refused_with_retry_after": flood["refused_with_retry_after"],
        "other_statuses": flood["other_statuses"],
        "failures": flood["failures"],
        "calm_p99_ms": calm["p99_ms"],
        "recovered_after_s": _recovery(flood["stopped_at"], after["instants"], slowest * SLACK),
        "server_cpu_ms": flood["server_cpu_ms"],
    }
    print(f"  {found}", flush=True)
    return found


def _sent(flood: dict[str, Any]) -> int:
    counts = [flood["ok"], flood["refused"], *flood["other_statuses"].values()]
    return sum(map(int, counts))


def _recovery(stopped: float, probes: list[tuple[float, float, int]], slow: float) -> float | None:
    """Seconds from the end of the flood to the first of ten answers in a row that were fast."""
    good = [status == 200 and took <= slow for _, took, status in probes]
    for index in range(len(probes) - CALM + 1):
        if all(good[index : index + CALM]):
            return round(max(probes[index][0] + probes[index][1] - stopped, 0.0), 3)
    return None


_MEDIANS: Final = (
    "capacity_per_s",
    "capacity_p99_ms",
    "offered_per_s",
    "sent_per_s",
    "accepted_per_s",
    "accepted_p50_ms",
    "accepted_p99_ms",
    "refused_p99_ms",
    "calm_p99_ms",
)


def _summary(rounds: list[dict[str, Any]], bound_s: float) -> dict[str, Any]:
    summary: dict[str, Any] = {name: middle(each[name] for each in rounds) for name in _MEDIANS}
    recoveries = [each["recovered_after_s"] for each in rounds]
    summary["recovered_after_s"] = None if None in recoveries else max(recoveries)
    refused = sum(each["refused"] for each in rounds)
    told = sum(each["refused_with_retry_after"] for each in rounds)
    summary["refused"], summary["refused_with_retry_after"] = refused, told
    broken = []
    if told < refused:
        broken.append(f"{refused - told} refusals without Retry-After")
    wrong = sum(sum(each["other_statuses"].values()) for each in rounds)
    if wrong:
        broken.append(f"{wrong} answers that were neither 200, 429 nor 503")
    if (summary["accepted_p99_ms"] or 0.0) > bound_s * 1000:
        broken.append(f"p99 of the accepted over {bound_s:g} s")
    if summary["recovered_after_s"] is None or summary["recovered_after_s"] > RECOVERY_GOAL_S:
        broken.append(f"not back to normal within {RECOVERY_GOAL_S:g} s")
    return {**summary, "broken": broken}


def _markdown(result: dict[str, Any]) -> str:
    rows = [
        ["capacity, 64 clients, requests/s", number(result["capacity_per_s"])],
        ["p99 at capacity, ms", number(result["capacity_p99_ms"])],
        ["offered, requests/s", number(result["offered_per_s"])],
        ["of which the generator could send and had answered", number(result["sent_per_s"])],
        ["accepted, requests/s", number(result["accepted_per_s"])],
        ["p50 of the accepted, ms", number(result["accepted_p50_ms"])],
        [
            f"p99 of the accepted, ms (bound {result['bound_s'] * 1000:,.0f})",
            number(result["accepted_p99_ms"]),
        ],
        ["p99 of the refused, ms", number(result["refused_p99_ms"])],
        ["refused with 429 or 503", f"{result['refused']:,}"],
        ["of which with Retry-After", f"{result['refused_with_retry_after']:,}"],
        ["p99 of single requests before the flood, ms", number(result["calm_p99_ms"])],
        ["slowest return to normal, s", number(result["recovered_after_s"])],
        ["every process lived through it", "yes" if result["same_processes"] else "no"],
    ]
    broken = "; ".join(result["broken"]) or "none"
    return "\n\n".join(
        [
            f"# Overload of the {result['server']}",
            sentence(result["provenance"]),
            f"Requests arrive at {TIMES} times the capacity measured just before, whatever comes "
            f"back, over at most {CONNECTIONS:,} connections; latencies count from when a request "
            f"was due. Back to normal is the first of {CALM} single requests in a row that take at "
            f"most {SLACK:g} times the slowest before the flood. Medians over "
            f"{len(result['rounds'])} floods, the worst for the return. The generator runs on the "
            "same cores.",
            table(["", "figure"], rows),
            f"Promises broken: {broken}.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
