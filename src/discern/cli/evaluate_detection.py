"""``discern evaluate detection``: a detector's average precision on labelled photographs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from discern.catalog.manifest import Bundle
from discern.catalog.pull import entries, not_pulled
from discern.catalog.store import Store
from discern.cli.progress import progress_bar
from discern.cli.pull import pull_with_bar
from discern.errors import DownloadFailed, ModelNotFound, ModelNotReady
from discern.vision.detect import Detector, load_bundle_detector, load_file_detector
from discern.vision.detectors.families import FAMILIES
from discern.vision.evaluate import EVALUATION_THRESHOLD, evaluate


@click.command("detection")
@click.option(
    "--images",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of the photographs.",
)
@click.option(
    "--annotations",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Their labels, as COCO writes them (instances_*.json).",
)
@click.option(
    "--model",
    required=True,
    help="A model by name, fetched if the catalog has it and you do not, or an ONNX file.",
)
@click.option(
    "--family",
    type=click.Choice(sorted(FAMILIES)),
    help="How to read an ONNX file; recognized from its outputs if left out.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=EVALUATION_THRESHOLD,
    show_default=True,
    help="The least score of an answer that counts.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Threads computing one picture.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def detection(
    images: Path,
    annotations: Path,
    model: str,
    family: str | None,
    threshold: float,
    threads: int,
    as_json: bool,
) -> None:
    """Average precision by the rules of COCO, and pictures per second from file to boxes."""
    detector = _load(model, family, threads)
    total = len(json.loads(annotations.read_text(encoding="utf-8")).get("images", []))
    with progress_bar(total, label="Evaluating") as advance:
        quality = evaluate(detector, images, annotations, threshold=threshold, advance=advance)
    figures = {
        **asdict(quality),
        "model": f"{detector.name} {detector.version}",
        "family": detector.family.name,
    }
    if as_json:
        click.echo(json.dumps(figures))
        return
    click.echo(f"{figures['model']} ({figures['family']}) on {quality.images:,} pictures")
    click.echo(f"  {'mAP (IoU .50 to .95)':<28}{quality.map:.4f}")
    click.echo(f"  {'AP50':<28}{quality.ap50:.4f}")
    click.echo(f"  {'pictures per second':<28}{quality.images_per_second:.1f}")


def _load(model: str, family: str | None, threads: int) -> Detector:
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file():
        return load_file_detector(path, family=family, threads=threads)
    return load_bundle_detector(_bundle(model), threads=threads)


def _bundle(name: str) -> Bundle:
    """The newest installed bundle of that name, else the catalog's, fetched now.

    Raises:
        ModelNotFound: neither here nor in the catalog.
        ModelNotReady: it is in the catalog but cannot be fetched; the message says how to get it.
    """
    store = Store()
    try:
        return store.find(name)
    except ModelNotFound:
        if all(item.name != name for item in entries()):
            raise
    try:
        return pull_with_bar(name, store)
    except DownloadFailed as failure:
        missing = not_pulled(name)
        message = f"{failure.message} {missing.message}"
        raise ModelNotReady(message, field=missing.field) from failure
