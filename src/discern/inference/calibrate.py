"""Finds the sessions, threads and batch limits with which an encoder is fastest on this machine."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final

from discern.errors import ConfigurationInvalid
from discern.inference.contract import BatchLimits
from discern.inference.encoder import EncoderRunner, Ids
from discern.inference.machine import available_cpus

WAITING: Final = 64
"""Rows kept waiting while measuring: as many clients as a busy server has."""
BATCH_ITEMS: Final = (1, 4, 8, 16, 32, 64)
NEARLY: Final = 0.97
MIN_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting and the rows per second it reached."""

    sessions: int
    threads: int
    max_batch_items: int
    rows_per_second: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that was tried, the best layout of sessions and threads at one batch size and then the
    smallest batch limit nearly as fast as the fastest."""

    trials: tuple[Trial, ...]
    best: Trial


def layouts(cpus: int) -> list[tuple[int, int]]:
    """Every ``(sessions, threads)`` that keeps all processors busy, and one session less than
    that, which leaves a processor to the server itself."""
    full = [(cpus // threads, threads) for threads in range(1, cpus + 1) if cpus % threads == 0]
    return [*full, (cpus - 1, 1)] if cpus > 2 else full


def calibrate(
    model_path: str | os.PathLike[str],
    rows: Sequence[Ids],
    *,
    seconds: float = 60.0,
    cpus: int | None = None,
    report: Callable[[Trial], None] = lambda _: None,
) -> Calibration:
    """Measures.

    Layouts are compared first, in turns, so that a machine that slows down slows all of them;
    then batch limits on the winner.

    Args:
        rows: token ids of texts like those to come, each int64 ``[tokens]``.
        seconds: about how long it may take.
        report: told of each measurement.

    Raises:
        ConfigurationInvalid: too little time to learn anything, or no rows.
    """
    if seconds < MIN_SECONDS or not rows:
        raise ConfigurationInvalid(
            f"Calibration needs rows and {MIN_SECONDS:g} s or more.",
            field="seconds",
            limit=MIN_SECONDS,
        )
    shapes = layouts(cpus or available_cpus())
    share = seconds / 2 / (2 * len(shapes))
    rates: dict[tuple[int, int], list[float]] = {shape: [] for shape in shapes}
    for _ in range(2):
        for shape in shapes:
            rates[shape].append(_rate(model_path, rows, shape, 32, share))
    first = [Trial(*shape, 32, max(found)) for shape, found in rates.items()]
    for trial in first:
        report(trial)
    sessions, threads = max(rates, key=lambda shape: max(rates[shape]))
    second = []
    for items in BATCH_ITEMS:
        rate = _rate(model_path, rows, (sessions, threads), items, seconds / 2 / len(BATCH_ITEMS))
        second.append(Trial(sessions, threads, items, rate))
        report(second[-1])
    fastest = max(trial.rows_per_second for trial in second)
    best = next(trial for trial in second if trial.rows_per_second >= NEARLY * fastest)
    return Calibration((*first, *second), best)


def _rate(
    model_path: str | os.PathLike[str],
    rows: Sequence[Ids],
    shape: tuple[int, int],
    max_batch_items: int,
    seconds: float,
) -> float:
    limits = BatchLimits(max_batch_items=max_batch_items, max_batch_cost=1_000_000)
    runner = EncoderRunner(model_path, sessions=shape[0], threads=shape[1], limits=limits)
    try:
        source = cycle(rows)
        _run(runner, source, time.perf_counter() + seconds / 4)
        started = time.perf_counter()
        done = _run(runner, source, started + seconds * 3 / 4)
        return done / (time.perf_counter() - started)
    finally:
        runner.close()


def _run(runner: EncoderRunner, source: Iterator[Ids], end: float) -> int:
    waiting: deque[Future[Any]] = deque()
    done = 0
    while time.perf_counter() < end:
        while len(waiting) < WAITING:
            waiting.append(runner.submit(next(source)))
        waiting.popleft().result()
        done += 1
    for future in waiting:
        future.cancel()
    return done
