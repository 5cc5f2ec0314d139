"""Plots of results as SVG files that are the same for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

_OURS: Final = "#0b6e4f"
_WEB: Final = "#63b995"
_BLOG: Final = "#b5651d"
_PEER: Final = "#8a94a6"
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
    kinds = [kind for kind in _KINDS if _bars(result, kind)]
    figure, panels = plt.subplots(1, len(kinds), figsize=(4.2 * len(kinds), 4.4), squeeze=False)
    for axes, kind in zip(panels[0], kinds, strict=True):
        _panel(axes, _bars(result, kind), result["ceiling_texts_per_s"][kind])
        axes.set_title(_KINDS[kind], fontsize=11)
    figure.suptitle("Requests per second with 64 clients (the number at the end: p99)", fontsize=12)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(result: dict[str, Any], kind: str) -> list[tuple[str, str, float, float]]:
    bars = []
    for name, server in result["servers"].items():
        clients = max(
            (int(cell.partition("-")[2]) for cell in server["cells"] if cell.startswith(kind)),
            default=0,
        )
        cell = server["cells"].get(f"{kind}-{clients}")
        if cell and cell["p99_ms"] is not None:
            note = "" if clients >= 64 else f" ({clients} clients)"
            bars.append((name, server["title"] + note, cell["requests_per_s"], cell["p99_ms"]))
    return sorted(bars, key=lambda bar: bar[2])


def _panel(axes: Any, bars: list[tuple[str, str, float, float]], ceiling: float) -> None:
    colors = [_color(name) for name, *_ in bars]
    drawn = axes.barh(
        [title for _, title, *_ in bars], [rate for *_, rate, _ in bars], color=colors
    )
    labels = [f" {rate:,.0f}  ({p99:,.0f} ms)" for *_, rate, p99 in bars]
    axes.bar_label(drawn, labels, fontsize=8)
    axes.axvline(ceiling, color="#444", linewidth=1, linestyle=":")
    axes.annotate(
        f"in-process ceiling {ceiling:,.0f}", (ceiling, 0), xytext=(-3, 4), fontsize=7,
        textcoords="offset points", ha="right", rotation=90,
    )  # fmt: skip
    axes.set_xlim(0, max(ceiling, *(rate for *_, rate, _ in bars)) * 1.35)
    axes.tick_params(labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _color(name: str) -> str:
    if name.startswith("blog"):
        return _BLOG
    return {"discern": _OURS, "discern-web": _WEB}.get(name, _PEER)


def soak(result: dict[str, Any], path: Path) -> None:
    """Memory over the run."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7.0, 2.8))
    minutes = [each["minute"] for each in result["samples"]]
    for field, color in (("pss_mb", _OURS), ("rss_mb", _PEER)):
        values = [each[field] for each in result["samples"]]
        axes.plot(minutes, values, color=color, label=field[:3].upper())
    axes.set_ylim(bottom=0)
    axes.set_xlabel("minutes")
    axes.set_ylabel("MB")
    axes.set_title(
        f"Memory of the {result['server']}, {result['requests']:,} requests", fontsize=10
    )
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
