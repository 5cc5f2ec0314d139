"""Turns examples into padded tensors, short ones with short ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor

from discern_training.sentiment.config import Stage
from discern_training.sentiment.data import Example

Row = tuple[list[int], list[int] | None, Example]


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids, mask, labels, which rows are of two-class sets, and how many rows at the end
    are twins of the first rows."""

    ids: Tensor
    mask: Tensor
    labels: Tensor
    two_class: Tensor
    twins: int

    @property
    def texts(self) -> int:
        return len(self.labels) - self.twins

    @property
    def tokens(self) -> int:
        return int(self.mask.sum())


def collate(rows: Sequence[Row]) -> Batch:
    """Rows are (ids, twin ids or None, example); rows with a twin come first in the batch."""
    rows = sorted(rows, key=lambda row: row[1] is None)
    twins = [(row[1], row[2]) for row in rows if row[1] is not None]
    ids = [row[0] for row in rows] + [twin for twin, _ in twins if twin is not None]
    examples = [row[2] for row in rows] + [example for _, example in twins]
    longest = max(map(len, ids))
    padded = torch.zeros(len(ids), longest, dtype=torch.long)
    mask = torch.zeros(len(ids), longest, dtype=torch.long)
    for index, item in enumerate(ids):
        padded[index, : len(item)] = torch.tensor(item)
        mask[index, : len(item)] = 1
    return Batch(
        padded,
        mask,
        torch.tensor([example.label for example in examples]),
        torch.tensor([example.two_class for example in examples]),
        len(twins),
    )


def batches(
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    stage: Stage,
    rng: Random,
    shared: Sequence[int] | None = None,
) -> list[Batch]:
    """Length-sorted batches in random order; a batch holds at most ``stage.batch_texts`` texts
    and ``stage.batch_tokens`` padded tokens. ``shared`` replaces token ids (see ``sharing``);
    a twin that then equals its text is dropped, unless the stage reads texts twice."""

    def encode(texts: list[str]) -> list[list[int]]:
        found = _encode(texts, tokenizer, stage.max_tokens)
        return found if shared is None else [[shared[i] for i in ids] for ids in found]

    ids = encode([example.text for example in examples])
    paired = [index for index, example in enumerate(examples) if example.twin is not None]
    found = encode([examples[index].twin or "" for index in paired])
    twin_ids = {
        index: twin
        for index, twin in zip(paired, found, strict=True)
        if stage.alike or twin != ids[index]
    }
    order = sorted(range(len(examples)), key=lambda index: len(ids[index]) + rng.random())
    result: list[Batch] = []
    rows: list[Row] = []
    count = 0
    for index in order:
        width = max(len(ids[index]), len(twin_ids.get(index, ())))
        size = 2 if index in twin_ids else 1
        fits = count + size <= stage.batch_texts and (count + size) * width <= stage.batch_tokens
        if rows and not fits:
            result.append(collate(rows))
            rows, count = [], 0
        rows.append((ids[index], twin_ids.get(index), examples[index]))
        count += size
    if rows:
        result.append(collate(rows))
    rng.shuffle(result)
    return result


def _encode(texts: list[str], tokenizer: Tokenizer, limit: int) -> list[list[int]]:
    found = (encoding.ids for encoding in tokenizer.encode_batch_fast(texts))
    return [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in found]
