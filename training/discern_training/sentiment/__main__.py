"""``python -m discern_training.sentiment``: train, export, optimize, finetune."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from discern.errors import DiscernError
from discern_training.sentiment.userdata import DataInvalid, load


@click.group()
def main() -> None:
    """Make sentiment models: `finetune` on texts of your own, or `train` the shipped one anew."""


@main.command()
@click.option("--config", type=click.Path(exists=True, path_type=Path), required=True,
              help="The recipe, such as training/sentiment.toml.")  # fmt: skip
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with the public sets the card lists.")  # fmt: skip
@click.option("--pretrained", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of all-MiniLM-L6-v2.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), default=Path("run"),
              show_default=True, help="Receives checkpoint.pt and log.jsonl; a stopped run "
              "continues from there.")  # fmt: skip
def train(config: Path, data_dir: Path, pretrained: Path | None, output: Path) -> None:
    """Train the shipped model from its recipe (about an hour and a half on two cores)."""
    from discern_training.sentiment.run import train_recipe

    train_recipe(config, data_dir, pretrained, output)
    click.echo(f"Trained. Next: python -m discern_training.sentiment export --config {config} "
               f"--run {output} ...")  # fmt: skip


@main.command()
@click.option("--config", type=click.Path(exists=True, path_type=Path), required=True,
              help="The recipe the run was made with.")  # fmt: skip
@click.option("--run", "folder", type=click.Path(exists=True, path_type=Path), required=True,
              help="The --output of train.")  # fmt: skip
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              required=True, help="Folder with the public sets the card lists.")  # fmt: skip
@click.option("--pretrained", type=click.Path(file_okay=False, path_type=Path),
              help="Folder of all-MiniLM-L6-v2, for its tokenizer.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), required=True,
              help="The bundle's folder.")  # fmt: skip
@click.option("--version", default="1.0.0", show_default=True)
def export(
    config: Path, folder: Path, data_dir: Path, pretrained: Path | None, output: Path, version: str
) -> None:
    """Calibrate, quantize, measure and pack what `train` made."""
    from discern_training.sentiment.run import export_run

    figures = export_run(config, folder, data_dir, pretrained, output, version)
    for name, item in figures["quality"].items():
        click.echo(f"{name}: {item}")


@main.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with the public sets the card lists: measures the bundle anew and "
              "writes card and manifest. Without it both keep the figures they have.")  # fmt: skip
@click.option("--version", help="The bundle's new version.")
def optimize(bundle: Path, data_dir: Path | None, version: str | None) -> None:
    """Write a bundle's graph anew, from its own weights, as fast as this version can.

    For bundles of earlier versions; what was made with this one stays as it is.
    """
    from discern_training.sentiment.rewrite import rewrite

    figures = rewrite(bundle, data=data_dir, version=version)
    click.echo(f"{bundle}: graph and manifest are up to date.")
    for name, item in (figures["quality"] if figures else {}).items():
        click.echo(f"{name}: {item}")


@main.command()
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True,
              help="A new folder for the bundle.")  # fmt: skip
@click.option("--data-dir", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="Folder with the public sets the card lists: measures the bundle anew, "
              "writes card and manifest, and lets it read unknown names as any other.")  # fmt: skip
@click.option("--version", help="The bundle's new version.")
def widen(bundle: Path, output: Path, data_dir: Path | None, version: str | None) -> None:
    """Let all words of the present lexicon share their group's embedding in a bundle.

    No training. The graph is written anew too, as `optimize` does.
    """
    from discern_training.sentiment.widen import widen

    figures = widen(bundle, output, data=data_dir, version=version)
    click.echo(f"{output}: every word of the lexicon shares its group's embedding.")
    for name, item in (figures["quality"] if figures else {}).items():
        click.echo(f"{name}: {item}")


@main.command()
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              required=True, help="CSV (or .csv.gz), UTF-8, first row: text,label.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), required=True,
              help="A new folder for the bundle.")  # fmt: skip
@click.option("--base", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="The bundle to start from; the shipped one if left out.")  # fmt: skip
@click.option("--name", default="sentiment-custom", show_default=True,
              help="The bundle's name in the catalog.")  # fmt: skip
@click.option("--version", default="1.0.0", show_default=True, help="The bundle's version.")
@click.option("--epochs", type=click.IntRange(1, 50),
              help="Passes over your texts; if left out, 3 to 20 by their number.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(1e-6, 1e-3), default=5e-5, show_default=True,
              help="Learning rate.")  # fmt: skip
@click.option("--held-out", type=click.FloatRange(0.05, 0.5), default=0.2, show_default=True,
              help="The part of each label kept out of training, to measure with.")  # fmt: skip
@click.option("--new-labels", is_flag=True,
              help="Labels of your own instead of negative, neutral, positive.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True,
              help="Decides which texts are held out, and the order of the others.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True,
              help="Threads to train with.")  # fmt: skip
def finetune(data: Path, output: Path, base: Path | None, name: str, version: str,
             new_labels: bool, held_out: float, seed: int, **tuning: Any) -> None:  # fmt: skip
    """Fine-tune the sentiment model on your own labeled texts.

    \b
    my.csv:
        text,label
        "The parcel came a day early.",positive
        "Where is my invoice?",neutral
        "Third time it broke.",negative

    At least 20 rows and 5 of each label; a few hundred make a difference. A part is held out and
    both models, the one you start from and the new one, are measured on it. Nothing is
    downloaded; a thousand short texts take a minute or two on two processor cores.

    \b
    discern train sentiment --data my.csv --output my-model
    discern models install my-model --activate     # let it answer
    discern models rollback sentiment-analysis     # take it back
    """
    from discern_training.sentiment.bundle import shipped_bundle
    from discern_training.sentiment.finetune import Tuning, finetune

    rows = load(data, new_labels=new_labels, held_out=held_out, seed=seed)
    click.echo(f"{len(rows.train):,} texts to train on, {len(rows.held_out):,} held out.")
    began = time.monotonic()
    with click.progressbar(length=1000, label="Training", file=sys.stderr) as bar:
        outcome = finetune(
            base or shipped_bundle(),
            rows,
            output,
            Tuning(seed=seed, **tuning),
            name=name,
            version=version,
            advance=lambda done, of: bar.update(done * 1000 // of - bar.pos),
        )
    for title, item in (("before", outcome.before), ("after", outcome.after)):
        if item is not None:
            click.echo(
                f"{title:<7} accuracy {item['accuracy']:.3f}, macro recall "
                f"{item['macro_recall']:.3f}, calibration error "
                f"{item['expected_calibration_error']:.3f}"
            )
    if outcome.before is not None and outcome.after["accuracy"] < outcome.before["accuracy"]:
        click.echo("The new model is worse on the held-out part: look at the labels, or try a "
                   "smaller --rate.")  # fmt: skip
    click.echo(f"Took {time.monotonic() - began:.0f} s. The bundle is in {output}; to let it "
               f"answer: discern models install {output} --activate")  # fmt: skip


def run() -> None:
    """The command line with errors as one line each."""
    try:
        main(standalone_mode=True)
    except (DataInvalid, DiscernError, OSError, ValueError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
