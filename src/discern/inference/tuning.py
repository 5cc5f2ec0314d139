"""Measures whether batching helps, for each length of item, and says how large batches may be.

On a processor the gain of a larger batch ends early, and for long items there may be none, while
every item then waits for the slowest of its batch. So the smallest size that is nearly as fast per
unit of cost as the best one seen is used, and now and then others are tried again.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

EDGES: Final = (0, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512)
"""Least cost of each length bucket."""

NEARLY_AS_FAST: Final = 1.05
MIN_SAMPLES: Final = 6
EXPLORE_EVERY: Final = 40
_NEW_WEIGHT: Final = 0.15


def bucket_of(cost: int) -> int:
    """The length bucket of an item."""
    return bisect_right(EDGES, cost) - 1


class BatchTuner:
    """Learns the time per unit of padded cost for batch sizes 1, 2-3, 4-7, 8-15, ... in each
    bucket. Not thread-safe: its batcher's lock guards it."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._classes = max_items.bit_length()
        self._seconds: list[list[float]] = [[0.0] * self._classes for _ in EDGES]
        self._samples: list[list[int]] = [[0] * self._classes for _ in EDGES]
        self._asked = [0] * len(EDGES)

    def limit(self, bucket: int) -> int:
        """How many items a batch of this bucket may hold now. Each call counts towards the next
        try of another size: the largest, and half of the present one, in turn."""
        self._asked[bucket] += 1
        turn = self._asked[bucket] % EXPLORE_EVERY
        if turn == 0:
            return self._max_items
        best = self.best(bucket)
        return max(best // 2, 1) if turn == EXPLORE_EVERY // 2 else best

    def best(self, bucket: int) -> int:
        """The smallest size nearly as fast as the fastest; sizes not yet measured may be it."""
        seconds, samples = self._seconds[bucket], self._samples[bucket]
        known = [index for index in range(self._classes) if samples[index] >= MIN_SAMPLES]
        if not known:
            return self._max_items
        fastest = min(seconds[index] for index in known)
        enough = next(i for i in known if seconds[i] <= fastest * NEARLY_AS_FAST)
        if enough == known[-1] and enough + 1 < self._classes:
            return self._max_items  # still getting faster at the largest size measured
        return min((2 << enough) - 1, self._max_items)

    def learn(self, bucket: int, items: int, padded_cost: int, seconds: float) -> None:
        """Records one batch."""
        index = min(items.bit_length(), self._classes) - 1
        sample = seconds / max(padded_cost, 1)
        count = self._samples[bucket][index]
        weight = max(_NEW_WEIGHT, 1 / (count + 1))
        self._seconds[bucket][index] += weight * (sample - self._seconds[bucket][index])
        self._samples[bucket][index] = count + 1

    def learned(self) -> dict[int, int]:
        """Least cost of each bucket that has run -> batch size in use there."""
        return {
            EDGES[bucket]: self.best(bucket)
            for bucket in range(len(EDGES))
            if any(self._samples[bucket])
        }
