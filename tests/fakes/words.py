"""A tokenizer of a few words and a runner that reads their mood off a list.

Real enough to prove how texts are cut into windows and merged, with no trained model at hand.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

VOCABULARY = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "good": 3, "bad": 4, "so": 5}
WINDOWS = 'max_tokens = 10\nstride = 6\nmerge = "mean_probability"'
LABELS = ("negative", "neutral", "positive")


def write_tokenizer(path: Path) -> None:
    """A word-level ``tokenizer.json`` that pads and truncates by itself, as downloaded ones do."""
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(path))


class WordRunner:
    """Counts ``good`` and ``bad`` among the ids it is given."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []

    def submit(
        self, ids: NDArray[np.int64], deadline: float | None = None
    ) -> Future[NDArray[np.float32]]:
        self.seen.append(ids.tolist())
        good, bad = (int((ids == VOCABULARY[word]).sum()) for word in ("good", "bad"))
        future: Future[NDArray[np.float32]] = Future()
        future.set_result(np.array([bad, 0.5, good], dtype=np.float32))
        return future
