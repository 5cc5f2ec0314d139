"""Plots of results as SVG files that are the same for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from benchmarks.report import number

_OURS: Final = "#0b6e4f"
_WEB: Final = "#63b995"
_BLOG: Final = "#b5651d"
_PEER: Final = "#8a94a6"
_MOST_CLIENTS: Final = 64
_KINDS: Final = {"short": "short, 20 tokens", "long": "long, 150 tokens", "mixed": "mixed"}


def _pyplot() -> Any:
    # Imported when it is first needed: the figures do not depend on a plotting library.
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "discern"
    from matplotlib import pyplot

    return pyplot


def serving(result: dict[str, Any], path: Path) -> None:
    """Requests per second at the most clients, one panel for each kind of text."""
    plt = _pyplot()
    servers = result["servers"]
    kinds = [kind for kind in _KINDS if any(_busiest(each, kind) for each in servers.values())]
    names = sorted(servers, key=lambda name: _rate(servers[name], kinds[0]))
    figure, panels = plt.subplots(
        1, len(kinds), figsize=(3.0 + 3.2 * len(kinds), 4.2), sharey=True, squeeze=False
    )
    for axes, kind in zip(panels[0], kinds, strict=True):
        _panel(axes, {name: servers[name] for name in names}, kind)
        _ceiling(axes, result["ceiling"][kind]["texts_per_s"])
    figure.suptitle("Requests per second with 64 clients (in brackets: p99)", fontsize=11)
    _save(plt, figure, path)


def _rate(server: dict[str, Any], kind: str) -> float:
    cell = _busiest(server, kind)
    return float(cell["requests_per_s"]) if cell else 0.0


def _busiest(server: dict[str, Any], kind: str) -> dict[str, Any] | None:
    """The cell with the most clients, and that number in it."""
    clients = [int(cell.partition("-")[2]) for cell in server["cells"] if cell.startswith(kind)]
    if not clients:
        return None
    return {**server["cells"][f"{kind}-{max(clients)}"], "clients": max(clients)}


def _panel(axes: Any, servers: dict[str, dict[str, Any]], kind: str) -> None:
    titles = [server["title"] for server in servers.values()]
    rates = [_rate(server, kind) for server in servers.values()]
    drawn = axes.barh(titles, rates, color=[_color(name) for name in servers], height=0.7)
    labels = [_label(_busiest(server, kind)) for server in servers.values()]
    axes.bar_label(drawn, labels, fontsize=7.5, padding=3)
    axes.set_title(_KINDS[kind], fontsize=10)
    _calm(axes)


def _label(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return "not measured"
    few = f", {cell['clients']} clients" if cell["clients"] < _MOST_CLIENTS else ""
    return f"{number(cell['requests_per_s'])} ({number(cell['p99_ms'])} ms{few})"


def _ceiling(axes: Any, ceiling: float) -> None:
    axes.axvline(ceiling, color="#444444", linewidth=1, linestyle=":", zorder=0)
    right = max(axes.get_xlim()[1], ceiling) * 1.3
    axes.set_xlim(0, right)
    axes.text(
        0.99, 0.02, f"dotted: in-process ceiling {number(ceiling)}",
        fontsize=7, ha="right", transform=axes.transAxes,
    )  # fmt: skip


def _calm(axes: Any) -> None:
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _save(plt: Any, figure: Any, path: Path) -> None:
    figure.tight_layout()
    # Not transparent: a page may be dark.
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def _color(name: str) -> str:
    if name.startswith("blog"):
        return _BLOG
    return {"discern": _OURS, "discern-web": _WEB}.get(name, _PEER)


def soak(result: dict[str, Any], path: Path) -> None:
    """Memory over the run."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7.0, 2.8))
    labels = {"rss_mb": "resident, libraries included", "anonymous_mb": "allocated"}
    minutes = [each["minute"] for each in result["samples"]]
    for field, color in (("rss_mb", _PEER), ("anonymous_mb", _OURS)):
        values = [each[field] for each in result["samples"]]
        axes.plot(minutes, values, color=color, label=labels[field])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes", fontsize=8)
    axes.set_ylabel("MB", fontsize=8)
    axes.set_title(
        f"Memory of the {result['server']}, {result['requests']:,} requests", fontsize=10
    )
    axes.legend(frameon=False, fontsize=8)
    _calm(axes)
    _save(plt, figure, path)


def decomposition(result: dict[str, Any], path: Path) -> None:
    """Texts per second after each step, on a logarithmic axis: equal gaps are equal factors."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(9.5, 3.0), sharey=True)
    steps = result["steps"][::-1]
    for axes, kind in zip(panels, ("short", "long"), strict=True):
        values = [step[kind] for step in steps]
        rows = range(len(steps))
        axes.plot(values, rows, color=_OURS, marker="o", linewidth=1)
        for row, value in zip(rows, values, strict=True):
            axes.annotate(
                number(value), (value, row), xytext=(6, -3), textcoords="offset points", fontsize=8
            )
        axes.set_yticks(rows, [step["title"] for step in steps])
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 2, max(values) * 3)
        axes.set_title(f"{_KINDS[kind]}: texts/s in-process", fontsize=10)
        _calm(axes)
    _save(plt, figure, path)


def recommendations_scaling(result: dict[str, Any], path: Path) -> None:
    """Seconds and megabytes of a fit over the number of interactions, both axes logarithmic."""
    plt = _pyplot()
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.2))
    rows = result["rows"]
    at = [row["interactions"] for row in rows]
    for axes, field, label in zip(
        panels, ("seconds", "peak_mb"), ("seconds", "peak memory, MB"), strict=True
    ):
        for way, name, color in (
            ("discern", "Discern", _OURS),
            ("implicit_als", "implicit ALS", _PEER),
        ):
            values = [row[way][field] for row in rows]
            axes.loglog(at, values, color=color, marker="o", markersize=4, label=name)
        axes.set_xlabel("interactions", fontsize=8)
        axes.set_title(label, fontsize=10)
        axes.legend(frameon=False, fontsize=8)
        _calm(axes)
    _save(plt, figure, path)
