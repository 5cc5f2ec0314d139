"""From texts to moods: windows out to the encoder, logits back, merged and labelled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from discern.catalog.manifest import Bundle
from discern.errors import BundleInvalid
from discern.text.contract import Sentiment, check_texts
from discern.text.names import FILE as ORDINARY
from discern.text.tokenize import Ids, Windows, WindowTokenizer

Logits = NDArray[np.float32]
MERGE_RULES: Final = ("mean_probability", "mean_logit")


class WindowRunner(Protocol):
    """What runs one window: a batching encoder, or anything that answers like one."""

    def submit(self, ids: Ids, deadline: float | None = None) -> Future[Logits]:
        """Queues one window; the future gives its logits, shape ``[labels]``. ``deadline`` is a
        :func:`time.monotonic` instant."""
        ...


@dataclass(frozen=True, slots=True)
class Pending:
    """One text on its way through the encoder."""

    windows: Windows
    futures: tuple[Future[Logits], ...]

    def cancel(self) -> None:
        """Drops what has not begun."""
        for future in self.futures:
            future.cancel()


class SentimentAnalyzer:
    """The mood of texts by one bundle.

    Long texts are read in overlapping windows and merged by the rule the bundle's manifest names
    (``preprocessing.merge``), each window weighted by the tokens it is the first to read. Logits
    are divided by ``preprocessing.temperature`` and, in a text of more than
    ``preprocessing.sharpen_from`` tokens, multiplied by (tokens / sharpen_from) **
    ``preprocessing.sharpen_power``: much text tells a mood more surely than its average sentence
    does. Without these keys they stay as they are. Where ``preprocessing.unknown_name`` names a
    word, it is read in place of names that are not known; see :mod:`discern.text.names`.

    Raises:
        BundleInvalid: the manifest lacks labels or its preprocessing table is wrong.
    """

    def __init__(self, bundle: Bundle, runner: WindowRunner) -> None:
        manifest = bundle.manifest
        if len(manifest.labels) < 2:
            raise BundleInvalid(f"{manifest.name} names fewer than two labels.", field="labels")
        self.labels = manifest.labels
        self.model_name, self.model_version = manifest.name, manifest.version
        preprocessing = manifest.preprocessing
        self._merge = str(preprocessing.get("merge", MERGE_RULES[0]))
        if self._merge not in MERGE_RULES:
            raise BundleInvalid(f"'merge' must be one of {MERGE_RULES}.", field="preprocessing")
        self._sharpen_from = _whole(preprocessing, "sharpen_from", 1)
        if self._sharpen_from < 1:
            raise BundleInvalid("'sharpen_from' must be 1 or more.", field="preprocessing")
        self._sharpen_power = _number(preprocessing, "sharpen_power", 0.0, least=0.0, most=1.0)
        self._temperature = _number(preprocessing, "temperature", 1.0, least=0.05, most=20.0)
        max_tokens = _whole(preprocessing, "max_tokens", 256)
        name = preprocessing.get("unknown_name")
        if name is not None and not isinstance(name, str):
            raise BundleInvalid("'unknown_name' must be a word.", field="preprocessing")
        self._tokenizer = WindowTokenizer(
            bundle.path("tokenizer.json"),
            max_tokens=max_tokens,
            stride=_whole(preprocessing, "stride", (max_tokens - 2) * 3 // 4),
            unknown_names=None if name is None else (bundle.path(ORDINARY), name),
        )
        self._runner = runner

    def analyze(self, texts: Sequence[str], deadline: float | None = None) -> list[Sentiment]:
        """The mood of each text, in order; blocks until all are done.

        Raises:
            InvalidInput, EmptyInput, TooLarge: as :func:`discern.text.contract.check_texts`.
            Overloaded, DeadlineExceeded, InferenceFailed: from the runner; what is still queued
                for this call is dropped.
        """
        pending = self.start(texts, deadline)
        try:
            return [self.finish(item) for item in pending]
        except BaseException:
            for item in pending:
                item.cancel()
            raise

    def start(self, texts: Sequence[str], deadline: float | None = None) -> list[Pending]:
        """Queues every window of every text without waiting, for callers that do not block."""
        pending: list[Pending] = []
        try:
            for windows in self.windows(check_texts(texts)):
                futures: list[Future[Logits]] = []
                pending.append(Pending(windows, ()))
                for ids in windows.ids:
                    futures.append(self._runner.submit(ids, deadline))
                    pending[-1] = Pending(windows, tuple(futures))
        except BaseException:
            for item in pending:
                item.cancel()
            raise
        return pending

    def windows(self, texts: Sequence[str]) -> list[Windows]:
        """Tokenizes, without running anything."""
        return self._tokenizer.windows(texts)

    def finish(self, pending: Pending) -> Sentiment:
        """The mood of one queued text; waits for it if need be."""
        return self.label(pending.windows, [future.result() for future in pending.futures])

    def label(self, windows: Windows, logits: Sequence[Logits]) -> Sentiment:
        """Merges the logits of a text's windows, each of shape ``[labels]``, into its mood."""
        scores = self._merged(windows, logits)
        best = max(range(len(scores)), key=scores.__getitem__)
        return Sentiment(
            label=self.labels[best],
            score=scores[best],
            scores=dict(zip(self.labels, scores, strict=True)),
            windows=len(logits),
            tokens=windows.tokens,
            model_name=self.model_name,
            model_version=self.model_version,
        )

    def scale(self, tokens: int) -> float:
        """What the logits of a text of so many tokens are multiplied by."""
        length = max(1.0, tokens / self._sharpen_from)
        return float(length**self._sharpen_power / self._temperature)

    def _merged(self, windows: Windows, logits: Sequence[Logits]) -> list[float]:
        scale = self.scale(windows.tokens)
        if len(logits) == 1:
            return _softmax_of_few([logit * scale for logit in logits[0].tolist()])
        rows = np.stack(logits).astype(np.float64) * scale
        weights = np.asarray(windows.weights, dtype=np.float64)
        weights /= weights.sum()
        merged = softmax(weights @ rows) if self._merge == "mean_logit" else weights @ softmax(rows)
        scores: list[float] = merged.tolist()
        return scores


def softmax(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis, shifted so that it cannot overflow."""
    powers = np.exp(rows - rows.max(axis=-1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return result


def _softmax_of_few(values: list[float]) -> list[float]:
    # For a handful of numbers, arrays cost more than they save; most texts are one window.
    largest = max(values)
    powers = [math.exp(value - largest) for value in values]
    total = sum(powers)
    return [power / total for power in powers]


def _whole(table: Any, key: str, default: int) -> int:
    value = table.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise BundleInvalid(f"'{key}' must be a whole number.", field="preprocessing")
    return value


def _number(table: Any, key: str, default: float, *, least: float, most: float) -> float:
    value = table.get(key, default)
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise BundleInvalid(f"'{key}' must be from {least} to {most}.", field="preprocessing")
    return float(value)
