"""The loss, the optimizers and their schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor

from discern_training.sentiment.batching import Batch
from discern_training.sentiment.config import Stage
from discern_training.sentiment.encoder import SentimentEncoder


def loss_of(logits: Tensor, batch: Batch, stage: Stage) -> Tensor:
    """Sum over texts of the cross-entropy, plus the twins' disagreement.

    Two-class rows leave the neutral logit out of the softmax. The disagreement is the
    symmetric Kullback-Leibler divergence between a text and its identity-swapped twin, or between
    two readings of a text that is its own twin; such a text counts by the mean of its readings.
    """
    closed = torch.zeros_like(logits)
    closed[:, 1] = batch.two_class.to(logits.dtype) * -1e4
    log_p = F.log_softmax(logits + closed, dim=1)
    own = log_p.gather(1, batch.labels[:, None]).squeeze(1)
    classes = logits.shape[1] - batch.two_class.to(logits.dtype)
    open_log_p = log_p.masked_fill(closed < 0, 0.0).sum(1) / classes
    loss = -((1 - stage.smoothing) * own + stage.smoothing * open_log_p)
    total = loss[: batch.texts].sum()
    if batch.twins:
        own_twin = (batch.ids[: batch.twins] == batch.ids[batch.texts :]).all(1)
        weights = torch.where(own_twin, stage.alike, stage.consistency)
        full = F.log_softmax(logits, dim=1)
        first, second = full[: batch.twins], full[batch.texts :]
        gap = ((first.exp() - second.exp()) * (first - second)).sum(1)
        total = total + (weights * gap).sum() + 0.5 * loss[batch.texts :].sum()
        total = total - 0.5 * loss[: batch.twins][own_twin].sum()
    return total


@torch.no_grad()
def apply_gradients(
    params: Sequence[Tensor], gradients: Sequence[Any], texts: int, limit: float = 1.0
) -> None:
    """Sums the batches' gradients into ``grad``, per text, with their norm held to ``limit``."""
    square = 0.0
    for param, parts in zip(params, zip(*gradients, strict=True), strict=True):
        grad = parts[0]
        for part in parts[1:]:
            grad = grad + part
        if grad.is_sparse:
            grad = grad.coalesce()
        param.grad = grad
        values = grad.values() if grad.is_sparse else grad
        values.div_(texts)
        square += float(values.square().sum())
    if square > limit * limit:
        for param in params:
            if param.grad is not None:
                values = param.grad.values() if param.grad.is_sparse else param.grad
                values.mul_(limit / square**0.5)


def schedule(part: float, stage: Stage) -> float:
    """Linear warm-up, then linear decay to ``stage.final_rate``; ``part`` is in (0, 1]."""
    if part < stage.warmup:
        return part / stage.warmup
    rest = (part - stage.warmup) / (1.0 - stage.warmup)
    return 1.0 - (1.0 - stage.final_rate) * rest


def optimizers_of(model: SentimentEncoder, stage: Stage) -> dict[str, torch.optim.Optimizer]:
    """AdamW with rates falling layer by layer toward the input, and sparse Adam for the word
    table, whose rows mostly have no gradient."""
    groups = [_group(model.head.named_parameters(), stage.head_rate)]
    rate = stage.rate
    for layer in reversed(model.layers):
        groups.append(_group(layer.named_parameters(), rate))
        rate *= stage.layer_decay
    rest = [*model.embedding_norm.named_parameters(), *model.positions.named_parameters()]
    groups.append(_group(iter(rest), rate))
    flat = [group for pair in groups for group in pair if group["params"]]
    result: dict[str, torch.optim.Optimizer] = {
        "dense": torch.optim.AdamW(flat, betas=(0.9, 0.98), eps=1e-6, fused=True)
    }
    if model.words.weight.requires_grad:
        words = [{"params": [model.words.weight], "lr": rate, "base": rate}]
        result["words"] = torch.optim.SparseAdam(words)
    return result


def _group(named: Iterator[tuple[str, Tensor]], rate: float) -> list[dict[str, Any]]:
    matrices: list[Tensor] = []
    vectors: list[Tensor] = []
    for _, param in named:
        (matrices if param.ndim > 1 else vectors).append(param)
    return [
        {"params": matrices, "lr": rate, "base": rate, "weight_decay": 0.01},
        {"params": vectors, "lr": rate, "base": rate, "weight_decay": 0.0},
    ]
