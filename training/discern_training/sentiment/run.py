"""The shipped model's way from recipe to bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from discern_training.sentiment import pretrained, sharing, swaps
from discern_training.sentiment.config import START, load_recipe
from discern_training.sentiment.data import load_set, load_training, read_csv, split
from discern_training.sentiment.encoder import EncoderSizes, SentimentEncoder, load_pretrained
from discern_training.sentiment.export import export, save_metrics
from discern_training.sentiment.quick import quick
from discern_training.sentiment.train import Trainer, mean
from discern_training.sentiment.weights import read_weights


def train_recipe(
    config: Path, data: Path, source: Path | None, output: Path, start: Path | None = None
) -> None:
    """Trains through the recipe's stages, or goes on where an earlier run stopped. The first stage
    begins at the pretrained encoder in ``source`` or, where ``start`` is given, at the weights of
    that bundle, its vocabulary and sharing kept.

    Raises:
        ValueError: the recipe or a data file breaks a rule.
        FileNotFoundError: a data file or the pretrained encoder is missing.
    """
    recipe = load_recipe(config)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    tokenizer = _tokenizer(start or pretrained.find(source))
    model = _model(recipe.dropout, tokenizer.get_vocab_size(), start or pretrained.find(source))
    rows = sharing.equal_rows(model.words.weight.detach()) if start else None
    sets = _quick_sets(data)
    trainer = Trainer(
        model,
        tokenizer,
        output,
        seed=recipe.seed,
        evaluate=lambda found: {k: quick(found, tokenizer, rows) for k, rows in sets.items()},
        shared_rows=swaps.shared_rows(tokenizer) if rows is None else rows,
    )
    trainer.resume()
    names = {name for stage in recipe.stages for name in stage.mix} - {"written"}
    trainer.run(recipe.stages, load_training(data, sorted(names)))


def export_run(
    config: Path,
    run: Path,
    data: Path,
    source: Path | None,
    output: Path,
    version: str,
    start: Path | None = None,
) -> dict[str, Any]:
    """Makes the bundle of a run's averaged weights; figures also go to ``run/metrics.json``.
    ``start`` is the bundle the run began at, if it did; "start" in the recipe's soup is that
    bundle's own weights.

    Raises:
        FileNotFoundError: a stage of the recipe's soup has not ended yet.
    """
    tokenizer = _tokenizer(start or pretrained.find(source))
    states = [_state(name, run, start) for name in load_recipe(config).soup]
    arrays = {key: value.numpy() for key, value in mean(states).items()}
    if start is None:
        table = torch.from_numpy(arrays["words.weight"])
        sharing.spread(table, swaps.shared_rows(tokenizer))
        arrays["words.weight"] = swaps.join(tokenizer, table.numpy())
    joined = run / "tokenizer.json"
    tokenizer.save(str(joined), pretty=False)
    figures = export(arrays, joined, data, output, version)
    save_metrics(figures, run / "metrics.json")
    return figures


def _state(name: str, run: Path, start: Path | None) -> dict[str, Tensor]:
    if name == START and start is not None:
        return _weights(start)
    found: dict[str, Tensor] = torch.load(run / f"stage-{name}.pt", weights_only=True)
    return found


def _weights(bundle: Path) -> dict[str, Tensor]:
    stored = read_weights(bundle / "model.onnx")
    return {name: torch.from_numpy(value.copy()) for name, value in stored.items()}


def _model(dropout: float, vocabulary: int, folder: Path) -> SentimentEncoder:
    sizes = EncoderSizes(vocabulary=vocabulary)
    model = SentimentEncoder(sizes, dropout=dropout, sparse_embedding=True)
    if (folder / "model.onnx").is_file():
        model.load_state_dict(_weights(folder))
    else:
        load_pretrained(model, folder)
    return model


def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _quick_sets(data: Path) -> dict[str, list[tuple[str, int]]]:
    tweets, imdb = (split(load_set(name, data))[1] for name in ("tweets", "imdb"))
    return {
        "sst2_dev": list(read_csv(data / "sst2_dev.csv")),
        "goemotions_dev": list(read_csv(data / "goemotions_dev.csv"))[:800],
        "tweets": [(item.text, item.label) for item in tweets],
        "imdb_ends": [(" ".join(item.text.split()[-150:]), item.label) for item in imdb[:150]],
    }
