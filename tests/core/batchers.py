"""A batcher over a runner that can be held shut, for the tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from discern.errors import (
    DiscernError,
    InvalidInput,
)
from discern.inference.batching import DynamicBatcher
from discern.inference.contract import BatchLimits

PATIENCE_S = 20.0
"""Far above what any step takes even on a crowded machine; passing never depends on it."""


@dataclass
class Bench:
    """A runner that echoes, records its batches, and can be held shut."""

    batches: list[list[tuple[int, int]]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    def run(self, worker: int, items: list[tuple[int, int]]) -> list[str | DiscernError]:
        with self.lock:
            self.batches.append(items)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        self.entered.release()
        assert self.gate.wait(PATIENCE_S)
        with self.lock:
            self.running -= 1
        if any(poison == 2 for _, poison in items):
            raise ValueError("the whole batch fails because of one item")
        return [InvalidInput("bad") if poison == 1 else f"answer {n}" for n, poison in items]


@contextmanager
def batcher(
    bench: Bench, *, workers: int = 2, **limits: float
) -> Iterator[DynamicBatcher[tuple[int, int], str]]:
    made: DynamicBatcher[tuple[int, int], str] = DynamicBatcher(
        bench.run,
        workers=workers,
        limits=BatchLimits(**limits),  # type: ignore[arg-type]
    )
    try:
        yield made
    finally:
        bench.gate.set()
        made.close()


def hold(bench: Bench, made: DynamicBatcher[tuple[int, int], str], workers: int = 1) -> None:
    """Occupies the workers, so that what follows queues up."""
    bench.gate.clear()
    for index in range(workers):
        made.submit((-1 - index, 0), cost=1)
        assert bench.entered.acquire(timeout=PATIENCE_S)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)
