"""The training recipe, read from a TOML file and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stage:
    """One leg of training. Rates are AdamW's; ``layer_decay`` multiplies the rate per layer
    toward the input; ``group`` batches make one step; ``written`` sentences a mood are made anew
    each epoch; ``twins`` is the part of texts with identity words that get a swapped twin, and
    ``invented`` the part of swaps that put in a word nobody has heard; ``share`` gives
    interchangeable words one embedding. A stage starts from the mean of the ends of the stages
    in ``start``, or else from the end of the one before."""

    name: str
    epochs: int
    mix: dict[str, float] = field(default_factory=dict)
    rate: float = 8e-5
    head_rate: float = 5e-4
    layer_decay: float = 0.9
    warmup: float = 0.06
    final_rate: float = 0.0
    smoothing: float = 0.03
    consistency: float = 0.0
    twins: float = 0.0
    invented: float = 0.0
    start: tuple[str, ...] = ()
    damage: float = 0.1
    written: int = 0
    share: bool = False
    max_tokens: int = 128
    batch_texts: int = 48
    batch_tokens: int = 768
    group: int = 2
    average_decay: float = 0.998
    bfloat16: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training run. The result is the mean of the averaged weights at the ends of the
    stages named in ``soup`` (model soups, Wortsman et al. 2022, arXiv:2203.05482), or of the last
    stage."""

    seed: int
    dropout: float
    stages: tuple[Stage, ...]
    soup: tuple[str, ...] = ()


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe.

    Raises:
        ValueError: an unknown or missing key; names it.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    known = {item.name for item in fields(Stage)}
    stages = []
    for number, table in enumerate(data.get("stage", []), start=1):
        unknown = set(table) - known
        if unknown or "name" not in table or "epochs" not in table:
            raise ValueError(f"{path.name}, stage {number}: unknown or missing {unknown or 'key'}")
        stages.append(Stage(**{**table, "start": tuple(table.get("start", ()))}))
    if not stages:
        raise ValueError(f"{path.name}: no [[stage]]")
    soup = tuple(data.get("soup", [stages[-1].name]))
    unknown = set(soup) - {stage.name for stage in stages}
    if unknown:
        raise ValueError(f"{path.name}, soup: no stage is named {sorted(unknown)}")
    return Recipe(int(data.get("seed", 1)), float(data.get("dropout", 0.1)), tuple(stages), soup)
