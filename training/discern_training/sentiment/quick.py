"""Figures of a float model during training."""

from __future__ import annotations

import numpy as np
import torch
from tokenizers import Tokenizer

from discern.text.normalize import normalize
from discern_training.sentiment.encoder import SentimentEncoder


@torch.no_grad()
def predict(
    model: SentimentEncoder, tokenizer: Tokenizer, texts: list[str], limit: int = 256
) -> np.ndarray:
    """Logits, float32 [texts, 3], of texts cut at ``limit`` tokens."""
    model.eval()
    found = [e.ids for e in tokenizer.encode_batch_fast([normalize(text) for text in texts])]
    found = [ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]] for ids in found]
    order = sorted(range(len(found)), key=lambda index: len(found[index]))
    logits = np.zeros((len(found), 3), np.float32)
    for start in range(0, len(order), 32):
        rows = order[start : start + 32]
        longest = max(len(found[index]) for index in rows)
        ids = torch.zeros(len(rows), longest, dtype=torch.long)
        for row, index in enumerate(rows):
            ids[row, : len(found[index])] = torch.tensor(found[index])
        mask = (ids != 0).long()
        with torch.autocast("cpu", torch.bfloat16):
            logits[rows] = model(ids, mask).float().numpy()
    model.train()
    return logits


def quick(
    model: SentimentEncoder, tokenizer: Tokenizer, rows: list[tuple[str, int]]
) -> dict[str, float]:
    """Accuracy and macro recall; two classes only when no row is neutral."""
    logits = predict(model, tokenizer, [text for text, _ in rows])
    labels = np.array([label for _, label in rows])
    if not (labels == 1).any():
        logits[:, 1] = -1e9
    best = logits.argmax(1)
    recalls = [(best[labels == label] == label).mean() for label in sorted(set(labels.tolist()))]
    return {
        "accuracy": round(float((best == labels).mean()), 4),
        "macro_recall": round(float(np.mean(recalls)), 4),
    }
