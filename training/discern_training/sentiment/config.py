"""The training recipe, read from a TOML file and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

PRETRAINED: Final = "pretrained"
"""The encoder's weights as they were fetched: what a stage can start from besides the ends of
stages and of the legs of the pass over hidden words."""


def leg_end(number: int) -> str:
    """What the weights at the end of a leg of the pass over hidden words are called; the first leg
    is 1."""
    return f"masked-{number}"


@dataclass(frozen=True, slots=True)
class Stage:
    """One leg of training. Rates are AdamW's; ``layer_decay`` multiplies the rate per layer
    toward the input; ``group`` batches make one step; ``written`` sentences a mood are made anew
    each epoch; ``twins`` is the part of texts with identity words that get a swapped twin, and
    ``invented`` the part of swaps that put in a word nobody has heard; ``described`` is the part of
    texts that speak of a person whose twin describes that person, and ``persons`` the number of
    sentences made for that each epoch; ``share`` gives
    interchangeable words one embedding; ``alike`` reads every film text twice under two dropout
    masks and weighs the disagreement of the answers (R-Drop, Liang et al. 2021, arXiv:2106.14448).
    A stage starts from the weighted sum of the weights named in ``start`` (task arithmetic, Ilharco
    et al. 2023, arXiv:2212.04089), in a list from their mean, or else from the end of the one
    before."""

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
    described: float = 0.0
    persons: int = 0
    start: dict[str, float] = field(default_factory=dict)
    alike: float = 0.0
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
class Masking:
    """The pass over hidden words. ``legs`` are the tokens read in each leg, in which the rate rises
    and falls to nothing once; ``batch_tokens`` are read a batch, reviews in
    windows of ``window``; ``mix`` is copies of each set of short texts; ``hidden`` is the part of
    words hidden, in reviews up to ``hidden_telling`` of those that tell good ones from bad ones."""

    legs: list[int]
    mix: dict[str, float]
    rate: float = 2e-4
    warmup: float = 0.04
    window: int = 94
    batch_tokens: int = 1536
    hidden: float = 0.12
    hidden_telling: float = 0.4


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training run. The result is the weighted sum of the averaged weights at the ends of
    the stages named in ``soup``, in a list their mean (model soups, Wortsman et al. 2022,
    arXiv:2203.05482), or those of the last stage."""

    seed: int
    dropout: float
    stages: tuple[Stage, ...]
    soup: dict[str, float] = field(default_factory=dict)
    masking: Masking | None = None


def load_recipe(path: Path) -> Recipe:
    """Reads a recipe.

    Raises:
        ValueError: an unknown or missing key; names it.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    masking = data.get("masked")
    if masking is not None:
        _check(masking, Masking, {"legs", "mix"}, f"{path.name}, masked")
    legs = 0 if masking is None else len(masking["legs"])
    known = {PRETRAINED, *(leg_end(number + 1) for number in range(legs))}
    stages: list[Stage] = []
    for number, table in enumerate(data.get("stage", []), start=1):
        _check(table, Stage, {"name", "epochs"}, f"{path.name}, stage {number}")
        start = _ends(table.get("start", {}), known, f"{path.name}, stage {number}, start")
        stages.append(Stage(**{**table, "start": start}))
        known.add(stages[-1].name)
    if not stages:
        raise ValueError(f"{path.name}: no [[stage]]")
    soup = _ends(data.get("soup", [stages[-1].name]), known, f"{path.name}, soup")
    return Recipe(
        int(data.get("seed", 1)),
        float(data.get("dropout", 0.1)),
        tuple(stages),
        soup,
        None if masking is None else Masking(**masking),
    )


def _check(table: dict[str, Any], kind: type[Stage | Masking], needed: set[str], at: str) -> None:
    wrong = set(table) - {item.name for item in fields(kind)} or needed - set(table)
    if wrong:
        raise ValueError(f"{at}: unknown or missing {sorted(wrong)}")


def _ends(names: dict[str, float] | list[str], known: Iterable[str], at: str) -> dict[str, float]:
    """Names with their weights, those of a list being equal and 1 in sum."""
    unknown = set(names) - set(known)
    if unknown:
        raise ValueError(f"{at}: no stage is named {sorted(unknown)}")
    return names if isinstance(names, dict) else {name: 1.0 / len(names) for name in names}
