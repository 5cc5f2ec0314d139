"""Turns the figures of :mod:`benchmarks.serving` into ratios and tables."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.machine import sentence
from benchmarks.report import number, table

OURS: Final = "discern"
WEB: Final = "discern-web"
BUSY: Final = (32, 64)


def ratios(result: dict[str, Any]) -> dict[str, Any]:
    """What the issue asks: against the best peer, the ceiling and the blog, cell by cell."""
    servers = result["servers"]
    if OURS not in servers:
        return {}
    found: dict[str, Any] = {}
    for cell, ours in servers[OURS]["cells"].items():
        kind, _, clients = cell.partition("-")
        entry: dict[str, Any] = {}
        if best := _best_peer(servers, cell):
            theirs = servers[best]["cells"][cell]
            entry["best_peer"] = best
            entry["times_best_peer"] = _ratio(ours, theirs)
            entry["cpu_of_best_peer"] = _cpu_ratio(theirs, ours)
            entry["p99_ms"] = [ours["p99_ms"], theirs["p99_ms"]]
        if int(clients) in BUSY:
            ceiling = _as_cell(result["ceiling"][kind])
            entry["of_ceiling"] = _ratio(ours, ceiling)
            entry["of_ceiling_by_cpu"] = _cpu_ratio(ceiling, ours)
            if WEB in servers:
                entry["web_of_ceiling"] = _ratio(servers[WEB]["cells"][cell], ceiling)
                entry["web_of_ceiling_by_cpu"] = _cpu_ratio(ceiling, servers[WEB]["cells"][cell])
        for name in servers:
            if name.startswith("blog") and cell in servers[name]["cells"]:
                entry[f"times_{name}"] = _ratio(ours, servers[name]["cells"][cell])
        found[cell] = entry
    return found


def _best_peer(servers: dict[str, Any], cell: str) -> str | None:
    peers = [
        name
        for name, server in servers.items()
        if server["same_model"] and not name.startswith(OURS) and cell in server["cells"]
    ]
    rate = {name: servers[name]["cells"][cell]["requests_per_s"] for name in peers}
    return max(rate, key=rate.__getitem__, default=None)


def _ratio(first: dict[str, Any], second: dict[str, Any]) -> float | None:
    if not second["requests_per_s"]:
        return None
    return round(float(first["requests_per_s"]) / float(second["requests_per_s"]), 3)


def _cpu_ratio(first: dict[str, Any], second: dict[str, Any]) -> float | None:
    """How many times the processor time of ``second`` a request of ``first`` takes."""
    if not first["server_cpu_ms"] or not second["server_cpu_ms"]:
        return None
    return round(float(first["server_cpu_ms"]) / float(second["server_cpu_ms"]), 3)


def _as_cell(ceiling: dict[str, Any]) -> dict[str, Any]:
    return {"requests_per_s": ceiling["texts_per_s"], "server_cpu_ms": ceiling["cpu_ms"]}


def markdown(result: dict[str, Any]) -> str:
    """The whole result for a reader."""
    parts = ["# Serving the sentiment model", sentence(result["provenance"]), _METHOD]
    kinds = {cell.partition("-")[0]: None for cell in _cells(result)}
    for kind in kinds:
        ceiling = result["ceiling"][kind]
        parts += [
            f"## {kind.capitalize()} texts",
            f"Requests per second / p99 in milliseconds, by number of clients. In-process ceiling: "
            f"{number(ceiling['texts_per_s'])} texts per second at {number(ceiling['cpu_ms'])} ms "
            f"of CPU each, {ceiling['batch']} at a time.",
            _rates(result, kind),
        ]
    parts += ["## What it costs", _costs(result), "## Ratios", _ratio_table(result)]
    if result["failures"]:
        parts.append("## Not measured")
        parts += [f"- {name}: {why.splitlines()[0]}" for name, why in result["failures"].items()]
    return "\n\n".join(parts)


_METHOD: Final = """
Every server serves the same model file with the same tokenizer and two threads of inference in all;
its first answer is checked against the model's own. The blog's app is the exception: a DistilBERT
architecture with random weights, for its time only. One server runs at a time and all take turns in
every round; figures are medians over rounds. The load comes from one other process on the same
cores. CPU is that of all processes of the server; memory is their proportional set size (PSS) after
the load. *Not ok* counts every request of the run that was not answered with 200.
""".strip().replace("\n", " ")


def _cells(result: dict[str, Any]) -> list[str]:
    cells: dict[str, None] = {}
    for server in result["servers"].values():
        cells |= dict.fromkeys(server["cells"])
    return list(cells)


def _rates(result: dict[str, Any], kind: str) -> str:
    cells = [cell for cell in _cells(result) if cell.startswith(f"{kind}-")]
    cells.sort(key=lambda cell: int(cell.partition("-")[2]))
    rows = []
    for server in result["servers"].values():
        there = [server["cells"].get(cell) for cell in cells]
        if any(there):
            rows.append([f"{server['title']} {server['version']}", *map(_rate_and_p99, there)])
    return table(["server", *(cell.partition("-")[2] for cell in cells)], rows)


def _rate_and_p99(cell: dict[str, Any] | None) -> str:
    return f"{number(cell['requests_per_s'])} / {number(cell['p99_ms'])}" if cell else "-"


def _costs(result: dict[str, Any]) -> str:
    head = ["server", "first answer, s", "memory PSS, MB", "RSS, MB"]
    head += ["CPU ms a short request, 1 client", "32 clients", "not ok"]
    rows = [
        [
            server["title"],
            number(server["first_answer_s"]),
            number(server["pss_mb"]),
            number(server["rss_mb"]),
            *(
                number(server["cells"].get(f"short-{clients}", {}).get("server_cpu_ms"))
                for clients in (1, 32)
            ),
            sum(cell["not_ok"] for cell in server["cells"].values()),
        ]
        for server in result["servers"].values()
    ]
    return table(head, rows)


def _ratio_table(result: dict[str, Any]) -> str:
    rows = []
    for cell, entry in result["ratios"].items():
        p99 = " against ".join(number(value) for value in entry.get("p99_ms", []))
        rows.append(
            [
                cell.replace("-", ", ") + (" client" if cell.endswith("-1") else " clients"),
                entry.get("best_peer", "-"),
                number(entry.get("times_best_peer")),
                p99 or "-",
                number(entry.get("cpu_of_best_peer")),
                _both(entry, "of_ceiling"),
                _both(entry, "web_of_ceiling"),
                number(entry.get("times_blog")),
                number(entry.get("times_blog-pinned")),
            ]
        )
    head = ["texts", "best peer", "times its requests/s", "p99, ms", "its CPU time to ours"]
    head += ["of the ceiling (by CPU)", "web API of the ceiling (by CPU)"]
    head += ["times the blog", "times the blog, threads pinned"]
    return table(head, rows)


def _both(entry: dict[str, Any], name: str) -> str:
    if name not in entry:
        return "-"
    return f"{number(entry[name])} ({number(entry[f'{name}_by_cpu'])})"
