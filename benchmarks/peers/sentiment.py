"""The one model every peer serves: the same file, the same tokenizer, the same answer.

Settings come from the environment, set by the benchmark: ``BENCH_MODEL`` (a folder with
``model.onnx`` and ``tokenizer.json``), ``BENCH_THREADS`` (threads of one session) and
``BENCH_PORT``. Runs in each peer's own environment, so it imports nothing of Discern.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

LABELS = ("negative", "neutral", "positive")
MAX_TOKENS = 256
PORT = int(os.environ.get("BENCH_PORT", "8000"))
THREADS = int(os.environ.get("BENCH_THREADS", "1"))
BATCH = int(os.environ.get("BENCH_BATCH", "32"))


class Sentiment:
    """Texts to moods with one ONNX Runtime session of ``threads`` threads."""

    def __init__(self, threads: int = THREADS) -> None:
        folder = Path(os.environ["BENCH_MODEL"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while idle would take the time of the tokenizer and the web server.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.analyze(["Ready."])

    def analyze(self, texts: list[str]) -> list[dict[str, object]]:
        """One mapping of ``label`` and ``scores`` for each text, in order."""
        encodings = self._tokenizer.encode_batch_fast(texts)
        feeds = {
            "input_ids": np.array([item.ids for item in encodings], dtype=np.int64),
            "attention_mask": np.array([item.attention_mask for item in encodings], dtype=np.int64),
        }
        logits = self._session.run(None, feeds)[0]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return [_answer(row) for row in (powers / powers.sum(axis=1, keepdims=True)).tolist()]


def _answer(row: list[float]) -> dict[str, object]:
    best = max(range(len(row)), key=row.__getitem__)
    return {"label": LABELS[best], "scores": dict(zip(LABELS, row, strict=True))}
