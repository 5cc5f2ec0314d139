"""Runs a finished bundle over many texts, by the same code that serves it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from discern.catalog.manifest import load_bundle
from discern.inference.session import open_session
from discern.text.analyze import SentimentAnalyzer
from discern.text.contract import Sentiment
from discern.text.tokenize import Ids

Floats = NDArray[np.float32]
BATCH = 32


class _NoRunner:
    """The analyzer's runner where windows are run here, in large sorted batches."""

    def submit(self, ids: Ids, deadline: float | None = None) -> Future[Floats]:
        raise NotImplementedError


class Scorer:
    """A bundle loaded for scoring on ``threads`` threads, each with batches of its own."""

    def __init__(self, folder: Path, *, threads: int = 2) -> None:
        bundle = load_bundle(folder)
        self.analyzer = SentimentAnalyzer(bundle, _NoRunner())
        self.threads = threads
        self.open(bundle.path("model.onnx"))

    def open(self, path: Path) -> None:
        """Runs another model file of the same signature from here on."""
        self._session = open_session(path, threads=1)

    def logits(self, windows: Sequence[Ids]) -> Floats:
        """Logits, float32 [windows, labels], of windows of any lengths."""
        order = sorted(range(len(windows)), key=lambda index: len(windows[index]))
        result = np.zeros((len(windows), len(self.analyzer.labels)), np.float32)

        def run(start: int) -> None:
            rows = order[start : start + BATCH]
            ids, mask = pad([windows[index] for index in rows])
            result[rows] = self._session.run({"input_ids": ids, "attention_mask": mask})[0]

        with ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(run, range(0, len(order), BATCH)))
        return result

    def merged_logits(self, texts: Sequence[str]) -> Floats:
        """Logits, float32 [texts, labels]: a long text's windows averaged by their tokens, scaled
        as the analyzer does."""
        cut = self.analyzer.windows(texts)
        rows = self.logits([ids for windows in cut for ids in windows.ids])
        result, start = np.zeros((len(cut), rows.shape[1]), np.float32), 0
        for index, windows in enumerate(cut):
            weights = np.array(windows.weights, np.float32)
            end = start + len(weights)
            mean = weights @ rows[start:end] / weights.sum()
            result[index] = mean * self.analyzer.scale(windows.tokens)
            start = end
        return result

    def sentiments(self, texts: Sequence[str]) -> list[Sentiment]:
        """The mood of each text, long ones read in windows as the manifest says."""
        cut = self.analyzer.windows(texts)
        rows = self.logits([ids for windows in cut for ids in windows.ids])
        results, start = [], 0
        for windows in cut:
            end = start + len(windows.ids)
            results.append(self.analyzer.label(windows, list(rows[start:end])))
            start = end
        return results

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Float32 [texts, labels], in the order of the labels."""
        return np.array(
            [list(result.scores.values()) for result in self.sentiments(texts)], np.float32
        )


def pad(rows: Sequence[Ids]) -> tuple[Ids, Ids]:
    """Ids and mask, int64 [rows, longest]."""
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), np.int64)
    mask = np.zeros((len(rows), longest), np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = row
        mask[index, : len(row)] = 1
    return ids, mask
