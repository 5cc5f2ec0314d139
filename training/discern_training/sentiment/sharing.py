"""One embedding for words that may stand for each other, while training and in the result."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def table(rows: Sequence[Sequence[int]], vocabulary: int) -> list[int]:
    """Token id to the id trained in its place: the first of its group, or itself."""
    result = list(range(vocabulary))
    for group in rows:
        for token in group:
            result[token] = group[0]
    return result


@torch.no_grad()
def merge(weight: Tensor, rows: Sequence[Sequence[int]]) -> None:
    """Gives every member of a group the mean of the group's vectors; weight is
    [vocabulary, width]."""
    for group in rows:
        weight[list(group)] = weight[list(group)].mean(0)


@torch.no_grad()
def spread(weight: Tensor, rows: Sequence[Sequence[int]]) -> None:
    """Copies the trained vector, the group's first, to all members."""
    for group in rows:
        weight[list(group)] = weight[group[0]].clone()
