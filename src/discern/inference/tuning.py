"""Measures whether batching helps, for each length of item, and says how large batches may be.

On a processor the gain of a larger batch ends early, and for long items there may be none, while
every item then waits for the slowest of its batch. So the smallest size that is nearly as fast per
unit of cost as the best one seen is used. It begins with single items and tries doublings; what a
try costs is a small share of the time worked since the last one, so that a batch of long items,
which may take a second, is not run merely to learn that it is slow.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

EDGES: Final = (0, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512)
"""Least cost of each length bucket."""

NEARLY_AS_FAST: Final = 1.05
MIN_SAMPLES: Final = 3
TRY_SHARE: Final = 0.05
"""The time of a try, as a share of the time worked in its bucket since the one before."""
FREE_TRY_S: Final = 0.05
"""A size not known yet is tried at once if it should take no longer than this."""
LONGEST_TRY_S: Final = 0.25
UNKNOWN_COST: Final = 512
"""Padded cost of a batch of which no size is known: enough for batching to show, soon over."""
LONGEST_BUSY_S: Final = 0.05
"""The fastest size is used under load only where nobody waits much longer for his batch."""
_NEW_WEIGHT: Final = 0.15


def bucket_of(cost: int) -> int:
    """The length bucket of an item."""
    return bisect_right(EDGES, cost) - 1


def _least_cost(bucket: int) -> int:
    return max(EDGES[bucket], EDGES[1] // 2)


class BatchTuner:
    """Learns the time per unit of cost for batch sizes 1, 2, 3-4, 5-8, ... in each
    bucket. Not thread-safe: its batcher's lock guards it."""

    def __init__(self, max_items: int) -> None:
        self._max_items = max_items
        self._classes = (max_items - 1).bit_length() + 1
        self._seconds: list[list[float]] = [[0.0] * self._classes for _ in EDGES]
        self._samples: list[list[int]] = [[0] * self._classes for _ in EDGES]
        self._worked = [0.0] * len(EDGES)  # since the last try
        self._offers: list[list[int]] = [[0] * self._classes for _ in EDGES]

    def limit(self, bucket: int, waiting: int = 0) -> int:
        """How many items a batch of this bucket may hold now: the best size known, or one to
        try; where ``waiting`` items would fill two of the very fastest, that one."""
        best = self._best_class(bucket)
        if self._samples[bucket][best] < MIN_SAMPLES:
            return self._size(best)
        wanted, known = self._candidate(bucket, best)
        takes = self._size(wanted) * _least_cost(bucket) * self._seconds[bucket][best]
        due = takes <= min(self._worked[bucket] * TRY_SHARE, LONGEST_TRY_S)
        # Fewer items may wait than are offered: an offer counts even if it is not taken up.
        free = not known and self._offers[bucket][wanted] < 2 * MIN_SAMPLES and takes <= FREE_TRY_S
        if wanted == best or not (due or free):
            return max(self._size(best), self._busy_size(bucket, waiting))
        self._worked[bucket] = 0.0
        self._offers[bucket][wanted] += 1
        return self._size(wanted)

    def _busy_size(self, bucket: int, waiting: int) -> int:
        seconds, samples = self._seconds[bucket], self._samples[bucket]
        known = [index for index in range(self._classes) if samples[index] >= MIN_SAMPLES]
        fastest = min(known, key=seconds.__getitem__)
        size = self._size(fastest)
        takes = size * _least_cost(bucket) * seconds[fastest]
        return size if 2 * size <= waiting and takes <= LONGEST_BUSY_S else 0

    def best(self, bucket: int) -> int:
        """The smallest size nearly as fast as the fastest."""
        return self._size(self._best_class(bucket))

    def learn(self, bucket: int, items: int, cost: int, seconds: float) -> None:
        """Records one batch; ``cost`` is the sum of its items', so that padding counts as lost."""
        index = min((items - 1).bit_length(), self._classes - 1)
        sample = seconds / max(cost, 1)
        count = self._samples[bucket][index]
        weight = max(_NEW_WEIGHT, 1 / (count + 1))
        self._seconds[bucket][index] += weight * (sample - self._seconds[bucket][index])
        self._samples[bucket][index] = count + 1
        self._worked[bucket] += seconds

    def _best_class(self, bucket: int) -> int:
        seconds, samples = self._seconds[bucket], self._samples[bucket]
        known = [index for index in range(self._classes) if samples[index] >= MIN_SAMPLES]
        if not known:
            return min((UNKNOWN_COST // _least_cost(bucket)).bit_length(), self._classes) - 1
        fastest = min(seconds[index] for index in known)
        return next(index for index in known if seconds[index] <= fastest * NEARLY_AS_FAST)

    def _candidate(self, bucket: int, best: int) -> tuple[int, bool]:
        """The size to try next and whether it is known: of the unknown sizes, or else of the best
        one's neighbors, the one offered least often."""
        samples, offers = self._samples[bucket], self._offers[bucket]
        unknown = [index for index in range(self._classes) if samples[index] < MIN_SAMPLES]
        neighbors = [index for index in (best + 1, best - 1) if 0 <= index < self._classes]
        candidates = unknown or neighbors or [best]
        wanted = min(candidates, key=lambda index: (offers[index] // MIN_SAMPLES, index))
        return wanted, not unknown

    def _size(self, index: int) -> int:
        return min(1 << index, self._max_items)

    def learned(self) -> dict[int, int]:
        """Least cost of each bucket that has run -> batch size in use there."""
        return {
            EDGES[bucket]: self.best(bucket)
            for bucket in range(len(EDGES))
            if any(self._samples[bucket])
        }
