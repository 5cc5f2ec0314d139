"""``discern benchmark``: the settings with which this machine serves fastest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from discern.catalog.manifest import Bundle
from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK
from discern.engine.options import EngineOptions
from discern.engine.sentiment import MODEL_FILE, LoadedSentiment
from discern.inference.calibrate import Calibration, Trial, calibrate
from discern.inference.encoder import Ids
from discern.inference.machine import available_cpus

PREFIX = "DISCERN_MODEL_SERVER_"
SAMPLES = (
    "The room was clean and the staff could not have been kinder.",
    "Two hours late, and nobody told us why.",
    "It arrived on Tuesday.",
    "Great battery, poor screen.",
    "I have used it every day for a month now and it still works as well as on the first day, "
    "though the manual is hard to follow and the app asks for too many permissions.",
    "The film takes its time, but the last half hour is worth every minute of it, and the music "
    "stays with you long after you have left the cinema.",
    "Why does the new version forget my settings whenever I restart it?",
    "Fine for the price.",
)


@click.command()
@click.option("--model", help="A sentiment model by name; the active one if not given.")
@click.option("--seconds", default=60.0, show_default=True, help="About how long to measure.")
@click.option(
    "--texts",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with one text on each line, like those to come; samples of ours if not given.",
)
def benchmark(model: str | None, seconds: float, file: Path | None) -> None:
    """Find the best sessions, threads and batch limit for this machine, and print what to set.

    Run it while the machine does nothing else.
    """
    store = Store()
    bundle = store.find(model) if model else store.active(SENTIMENT_TASK)
    rows = windows_of(bundle, _read(file) if file else list(SAMPLES))
    name = f"{bundle.manifest.name} {bundle.manifest.version}"
    tokens = sum(map(len, rows)) / len(rows)
    click.echo(f"{name} on {available_cpus()} processors, {tokens:.0f} tokens a text on average:")
    result = calibrate(bundle.path(MODEL_FILE), rows, seconds=seconds, report=_say)
    click.echo(_advice(result))


def windows_of(bundle: Bundle, texts: Sequence[str]) -> list[Ids]:
    """The token ids of each window of the texts, as long as the bundle's manifest says."""
    loaded = LoadedSentiment(bundle, EngineOptions(sessions=1))
    try:
        return [ids for windows in loaded.analyzer.windows(texts) for ids in windows.ids]
    finally:
        loaded.close()


def _read(file: Path) -> list[str]:
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [line for line in lines if line][:2000]
    if not texts:
        raise click.BadParameter("the file holds no text", param_hint="--texts")
    return texts


def _say(trial: Trial) -> None:
    click.echo(
        f"  {trial.sessions} x {trial.threads} threads, batches of up to "
        f"{trial.max_batch_items:>2}: {trial.rows_per_second:8.1f} texts/s"
    )


def _advice(result: Calibration) -> str:
    best = result.best
    return "\n".join(
        [
            "",
            "Best for this machine:",
            f"  export {PREFIX}SESSIONS={best.sessions}",
            f"  export {PREFIX}THREADS={best.threads}",
            f"  export {PREFIX}MAX_BATCH_ITEMS={best.max_batch_items}",
            "",
            f"{PREFIX}MAX_BATCH_TOKENS was not tuned: batches were measured without",
            "a limit of tokens, which can keep those of long texts smaller.",
        ]
    )
