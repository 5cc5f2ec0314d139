"""What one process has done for one model, as the protocol's statistics extension tells it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

from discern.inference.contract import BatchRecord

_NS = 1_000_000_000


class Totals:
    """Counts and summed durations since the model was first known; safe from any thread."""

    def __init__(self, name: str, version: str) -> None:
        self._name, self._version = name, version
        self._lock = threading.Lock()
        self._batches: defaultdict[int, list[float]] = defaultdict(lambda: [0, 0.0])
        self._requests = {"success": [0, 0.0], "fail": [0, 0.0]}
        self._waited = [0, 0.0]
        self._last_ms = 0

    def batch(self, record: BatchRecord) -> None:
        """Adds one batch."""
        with self._lock:
            _add(self._batches[record.items], 1, record.seconds)
            _add(self._waited, record.items, sum(record.waited_s))
            self._last_ms = int(time.time() * 1000)

    def request(self, *, ok: bool, seconds: float) -> None:
        """Adds one request."""
        with self._lock:
            _add(self._requests["success" if ok else "fail"], 1, seconds)

    def to_json(self) -> dict[str, Any]:
        """The extension's ``$model_stat``. Making tensors is not timed apart from running, nor
        are answers cached: those durations are 0."""
        with self._lock:
            batches = {size: (int(n), seconds) for size, (n, seconds) in self._batches.items()}
            items = sum(size * n for size, (n, _) in batches.items())
            infer_s = sum(seconds for _, seconds in batches.values())
            executions = sum(n for n, _ in batches.values())
            stats = {name: _duration(*pair) for name, pair in self._requests.items()}
            stats["queue"] = _duration(*self._waited)
        stats["compute_infer"] = _duration(items, infer_s)
        for name in ("compute_input", "compute_output", "cache_hit", "cache_miss"):
            stats[name] = _duration(0, 0.0)
        return {
            "name": self._name,
            "version": self._version,
            "last_inference": self._last_ms,
            "inference_count": items,
            "execution_count": executions,
            "inference_stats": stats,
            "batch_stats": [
                {
                    "batch_size": size,
                    "compute_input": _duration(0, 0.0),
                    "compute_infer": _duration(n, seconds),
                    "compute_output": _duration(0, 0.0),
                }
                for size, (n, seconds) in sorted(batches.items())
            ],
        }


def _add(pair: list[float], count: float, seconds: float) -> None:
    pair[0] += count
    pair[1] += seconds


def _duration(count: float, seconds: float) -> dict[str, int]:
    return {"count": int(count), "ns": int(seconds * _NS)}
