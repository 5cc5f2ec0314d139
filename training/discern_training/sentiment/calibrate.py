"""Temperature scaling (Guo et al. 2017, arXiv:1706.04599) over sets of two and three classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def log_loss(logits: Floats, labels: Labels, temperature: float) -> float:
    """Mean negative log-likelihood over the classes that occur: a set without neutral is judged
    on its two classes."""
    classes = np.unique(labels)
    scaled = logits[:, classes].astype(np.float64) / temperature
    true = np.searchsorted(classes, labels)
    scaled -= scaled.max(1, keepdims=True)
    normal = np.log(np.exp(scaled).sum(1))
    return float((normal - scaled[np.arange(len(true)), true]).mean())


def fit_temperature(sets: Sequence[tuple[Floats, Labels]]) -> float:
    """The temperature that makes the sets' mean log loss least, each set counting alike."""
    choices = np.geomspace(0.5, 4.0, 200)
    losses = [np.mean([log_loss(x, y, float(t)) for x, y in sets]) for t in choices]
    return float(choices[int(np.argmin(losses))])
