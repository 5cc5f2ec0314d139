"""The sentiment network: a BERT-style encoder with mean pooling and one linear layer.

The computation is that of BERT (Devlin et al. 2018, arXiv:1810.04805) with the sizes of MiniLM
(Wang et al. 2020, arXiv:2002.10957). Written out here because training needs three things a
stock implementation lacks: sparse embedding gradients, dropout that shares its mask over tokens
(an order of magnitude cheaper on a CPU), and a graph that exports cleanly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The widths of the encoder; the defaults are those of MiniLM-L6-H384."""

    vocabulary: int = 30522
    positions: int = 512
    width: int = 384
    inner: int = 1536
    heads: int = 12
    layers: int = 6
    classes: int = 3


class LockedDropout(nn.Module):
    """Dropout whose mask is drawn once per text and feature and shared by all tokens
    (Gal and Ghahramani 2016, arXiv:1512.05287)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        mask = torch.rand(x.shape[0], 1, x.shape[2]) >= self.rate
        return x * (mask.to(x.dtype) / (1.0 - self.rate))


class Layer(nn.Module):
    """One post-norm transformer layer."""

    def __init__(self, sizes: EncoderSizes, dropout: float) -> None:
        super().__init__()
        self.heads = sizes.heads
        self.qkv = nn.Linear(sizes.width, 3 * sizes.width)
        self.attention_out = nn.Linear(sizes.width, sizes.width)
        self.attention_norm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.up = nn.Linear(sizes.width, sizes.inner)
        self.down = nn.Linear(sizes.inner, sizes.width)
        self.norm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.dropout = LockedDropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        qkv = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # Written out: on a CPU the fused kernel's backward pass takes longer than all the
        # matrix products of a short text together.
        scores = q @ k.transpose(2, 3) * (width // self.heads) ** -0.5
        mixed = torch.softmax(scores + bias.to(q.dtype), dim=-1).to(v.dtype) @ v
        mixed = self.attention_out(mixed.transpose(1, 2).reshape(batch, tokens, width))
        x = self.attention_norm(x + self.dropout(mixed))
        return self.norm(x + self.dropout(self.down(F.gelu(self.up(x)))))


class SentimentEncoder(nn.Module):
    """Token ids to the logits of negative, neutral, positive.

    ``input_ids`` and ``attention_mask`` are int64 [batch, tokens]; the result is float
    [batch, classes]. Padding (mask 0) never changes the answer.
    """

    def __init__(
        self, sizes: EncoderSizes, *, dropout: float = 0.1, sparse_embedding: bool = False
    ) -> None:
        super().__init__()
        self.sizes = sizes
        self.words = nn.Embedding(sizes.vocabulary, sizes.width, sparse=sparse_embedding)
        self.positions = nn.Embedding(sizes.positions, sizes.width)
        self.embedding_norm = nn.LayerNorm(sizes.width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(sizes, dropout) for _ in range(sizes.layers))
        self.head = nn.Linear(sizes.width, sizes.classes)
        self.dropout = LockedDropout(dropout)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classify(self.encode(input_ids, attention_mask))

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The mean of the last layer's token vectors, float [batch, width]."""
        return self.pool(self.states(input_ids, attention_mask), attention_mask)

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The last layer's token vectors, [batch, tokens, width]."""
        x: Tensor = self.words(input_ids) + self.positions.weight[: input_ids.shape[1]]
        x = self.dropout(self.embedding_norm(x))
        bias = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        return x

    def pool(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        """The mean of token vectors, padding left out, float [batch, width]."""
        weight = attention_mask.to(torch.float32).unsqueeze(-1)
        return (states.float() * weight).sum(1) / weight.sum(1).clamp(min=1.0)

    def classify(self, pooled: Tensor) -> Tensor:
        """Logits of pooled vectors."""
        rate = 0.1 if self.training else 0.0
        return F.linear(F.dropout(pooled, rate, self.training), self.head.weight, self.head.bias)


def load_pretrained(model: SentimentEncoder, folder: Path) -> None:
    """Copies a BERT checkpoint (``model.safetensors``) into ``model``; the head stays fresh.

    The one token type in use is folded into the position table.
    """
    from safetensors.torch import load_file

    source = load_file(str(folder / "model.safetensors"))
    source = {key.removeprefix("bert."): value for key, value in source.items()}
    state = dict(_embeddings(source))
    for index in range(model.sizes.layers):
        state.update(_layer(source, index))
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or any(not key.startswith("head.") for key in missing):
        raise ValueError(f"checkpoint does not fit: missing {missing}, unexpected {unexpected}")


def _embeddings(source: Mapping[str, Tensor]) -> Mapping[str, Any]:
    table = "embeddings."
    return {
        "words.weight": source[table + "word_embeddings.weight"],
        "positions.weight": source[table + "position_embeddings.weight"]
        + source[table + "token_type_embeddings.weight"][0],
        "embedding_norm.weight": source[table + "LayerNorm.weight"],
        "embedding_norm.bias": source[table + "LayerNorm.bias"],
    }


def _layer(source: Mapping[str, Tensor], index: int) -> Mapping[str, Tensor]:
    old, new = f"encoder.layer.{index}.", f"layers.{index}."
    result = {}
    for kind in ("weight", "bias"):
        parts = [source[f"{old}attention.self.{name}.{kind}"] for name in ("query", "key", "value")]
        result[f"{new}qkv.{kind}"] = torch.cat(parts)
        result[f"{new}attention_out.{kind}"] = source[f"{old}attention.output.dense.{kind}"]
        result[f"{new}attention_norm.{kind}"] = source[f"{old}attention.output.LayerNorm.{kind}"]
        result[f"{new}up.{kind}"] = source[f"{old}intermediate.dense.{kind}"]
        result[f"{new}down.{kind}"] = source[f"{old}output.dense.{kind}"]
        result[f"{new}norm.{kind}"] = source[f"{old}output.LayerNorm.{kind}"]
    return result
