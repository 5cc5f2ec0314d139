"""The shipped model's way from recipe to bundle."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer

from discern_training.sentiment import pretrained, sharing, swaps
from discern_training.sentiment.config import PRETRAINED, Masking, Recipe, leg_end, load_recipe
from discern_training.sentiment.data import load_set, load_training, read_csv, split
from discern_training.sentiment.encoder import EncoderSizes, SentimentEncoder, load_pretrained
from discern_training.sentiment.export import export, save_metrics
from discern_training.sentiment.masked import MaskedPass, read_corpus
from discern_training.sentiment.quick import quick
from discern_training.sentiment.train import Trainer, weighted


def train_recipe(config: Path, data: Path, source: Path | None, output: Path) -> None:
    """Trains through the recipe's stages, or goes on where an earlier run stopped.

    Raises:
        ValueError: the recipe or a data file breaks a rule.
        FileNotFoundError: a data file or the pretrained encoder is missing.
    """
    recipe = load_recipe(config)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    folder = pretrained.find(source)
    tokenizer = _tokenizer(folder)
    model = _pretrained(folder, recipe)
    output.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), output / f"stage-{PRETRAINED}.pt")
    plan = recipe.masking
    if plan and not (output / f"stage-{leg_end(len(plan.legs))}.pt").is_file():
        _read_masked(_pretrained(folder, recipe), tokenizer, plan, data, output, recipe.seed)
    sets = _quick_sets(data)
    trainer = Trainer(
        model,
        tokenizer,
        output,
        seed=recipe.seed,
        evaluate=lambda found: {k: quick(found, tokenizer, rows) for k, rows in sets.items()},
        shared_rows=swaps.shared_rows(tokenizer),
    )
    trainer.resume()
    names = {name for stage in recipe.stages for name in stage.mix} - {"written"}
    trainer.run(recipe.stages, load_training(data, sorted(names)))


def _pretrained(folder: Path, recipe: Recipe) -> SentimentEncoder:
    model = SentimentEncoder(EncoderSizes(), dropout=recipe.dropout, sparse_embedding=True)
    load_pretrained(model, folder)
    return model


def _read_masked(
    model: SentimentEncoder,
    tokenizer: Tokenizer,
    plan: Masking,
    data: Path,
    output: Path,
    seed: int,
) -> None:
    sets = load_training(data, sorted({"imdb", *plan.mix}))
    corpus = read_corpus(sets, tokenizer, plan, Random(seed))
    begin, end, mask = (_id(tokenizer, name) for name in ("[CLS]", "[SEP]", "[MASK]"))
    MaskedPass(model, corpus, plan, output, marks=(begin, end, mask), seed=seed).run()


def _id(tokenizer: Tokenizer, token: str) -> int:
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"the tokenizer has no {token}")
    return int(found)


def export_run(
    config: Path, run: Path, data: Path, source: Path | None, output: Path, version: str
) -> dict[str, Any]:
    """Makes the bundle of a run's averaged weights; figures also go to ``run/metrics.json``.

    Raises:
        FileNotFoundError: a stage of the recipe's soup has not ended yet.
    """
    tokenizer = _tokenizer(pretrained.find(source))
    soup = load_recipe(config).soup
    ends = [torch.load(run / f"stage-{name}.pt", weights_only=True) for name in soup]
    state = weighted(ends, list(soup.values()))
    sharing.spread(state["words.weight"], swaps.shared_rows(tokenizer))
    arrays = {key: value.numpy() for key, value in state.items()}
    arrays["words.weight"] = swaps.join(tokenizer, arrays["words.weight"])
    joined = run / "tokenizer.json"
    tokenizer.save(str(joined), pretty=False)
    figures = export(arrays, joined, data, output, version)
    save_metrics(figures, run / "metrics.json")
    return figures


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
