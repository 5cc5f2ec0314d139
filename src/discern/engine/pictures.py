"""Detectors and the text reader in memory: pictures in, turns kept, answers out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np

from discern.catalog.manifest import Bundle
from discern.engine.interface import ModelInfo
from discern.engine.opened import opened_lately
from discern.engine.options import EngineOptions
from discern.errors import DeadlineExceeded, DiscernError, Overloaded
from discern.inference.contract import BatcherStats, BatchRecord
from discern.inference.machine import available_cpus
from discern.vision.contract import (
    TEXT_TASK,
    WORKING_SIDE,
    DetectionResult,
    OpenedImage,
    TextResult,
)
from discern.vision.detect import load_bundle_detector
from discern.vision.read_text import TextReader

MAX_WAITING: Final = 64
"""Pictures that may wait for their turn; a picture takes tens to hundreds of milliseconds."""

MAX_READERS: Final = 4
"""Copies of the text reader's models, of 100 MB each and up to 400 MB once a large picture came."""


class Turns:
    """Lets so many callers compute at once, the rest wait, and too many be refused.

    Args:
        slots: callers at once.
        waiting: callers that may wait.
    """

    def __init__(self, slots: int, waiting: int = MAX_WAITING) -> None:
        self.slots = slots
        self._limit = waiting
        self._change = threading.Condition()
        self._running = 0
        self._waiting = 0
        self.done = 0
        self.failed = 0
        self.refused = 0
        self.expired = 0

    @contextmanager
    def turn(self, deadline: float | None) -> Iterator[None]:
        """Waits for a slot and holds it; ``deadline`` is a :func:`time.monotonic` instant.

        Raises:
            Overloaded: too many wait already.
            DeadlineExceeded: no slot came free in time.
        """
        self._enter(deadline)
        try:
            yield
            self.done += 1
        except DiscernError:
            self.failed += 1
            raise
        finally:
            with self._change:
                self._running -= 1
                self._change.notify()

    def stats(self) -> BatcherStats:
        """In the terms of a batcher whose batches hold one picture."""
        return BatcherStats(
            workers=self.slots,
            queued_items=self._waiting,
            queued_cost=self._waiting,
            running_items=self._running,
            expected_wait_s=0.0,
            batches=self.done,
            done=self.done,
            failed=self.failed,
            expired=self.expired,
            cancelled=0,
            refused=self.refused,
        )

    def _enter(self, deadline: float | None) -> None:
        with self._change:
            if self._waiting >= self._limit:
                self.refused += 1
                raise Overloaded(
                    f"{self._waiting} pictures wait already.", limit=self._limit, retry_after_s=1.0
                )
            self._waiting += 1
            try:
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
                if not self._change.wait_for(lambda: self._running < self.slots, left) or left == 0:
                    self.expired += 1
                    raise DeadlineExceeded("The time for this request ran out.")
                self._running += 1
            finally:
                self._waiting -= 1


class LoadedDetector:
    """One bundle's detector; see :class:`discern.engine.residents.Loaded`."""

    def __init__(self, bundle: Bundle, options: EngineOptions) -> None:
        self.bundle = bundle
        self._detector = load_bundle_detector(bundle, threads=options.threads)
        self._turns = Turns(options.sessions or max(1, available_cpus() // options.threads))
        self._observe = options.observe

    def detect(
        self, image: bytes, threshold: float, deadline: float | None = None
    ) -> DetectionResult:
        """The objects in a picture file.

        Raises:
            EmptyInput, UnsupportedMedia, CorruptMedia, TooLarge: see
                :func:`discern.vision.images.open_image`.
            Overloaded, DeadlineExceeded, InferenceFailed: as of any engine.
        """
        arrived = time.monotonic()
        with self._turns.turn(deadline):
            started = time.monotonic()
            opened = opened_lately.open(image, max_side=self._detector.working_side)
            [result] = self._detector.detect([opened], threshold=threshold)
        if self._observe is not None:
            manifest = self.bundle.manifest
            record = BatchRecord(1, 1, (started - arrived,), time.monotonic() - started)
            self._observe(manifest.name, manifest.version, record)
        return result

    def canary(self, deadline: float | None = None) -> None:
        """Looks at a gray picture; the answer may hold nothing, but must be one."""
        side = max(self._detector.size)
        gray = np.full((side, side, 3), 114, dtype=np.uint8)
        with self._turns.turn(deadline):
            self._detector.detect([OpenedImage(gray, side, side, "PNG", 1)])

    def stats(self) -> BatcherStats:
        """What has been done so far; an item is a picture."""
        return self._turns.stats()

    def close(self, *, drain: bool = False) -> None:
        """Nothing to stop: calls under way hold the session until they end."""


class PictureReader:
    """The text reader of one engine, which reads a picture on each processor at most."""

    def __init__(self, options: EngineOptions) -> None:
        at_once = options.sessions or max(1, available_cpus() // options.threads)
        at_once = min(at_once, MAX_READERS)
        self.reader = TextReader(threads=options.threads, copies=at_once)
        self._turns = Turns(at_once)

    def read(self, image: bytes, deadline: float | None = None) -> TextResult:
        """The text in a picture file.

        Raises:
            MissingExtra: the ``vision`` extra is not installed.
            DiscernError: as :meth:`LoadedDetector.detect`.
        """
        opened = opened_lately.open(image, max_side=WORKING_SIDE)
        with self._turns.turn(deadline):
            return self.reader.read(opened)

    def infos(self) -> list[ModelInfo]:
        """What there is to say of it, if it is installed; its models load at the first picture."""
        if not self.reader.installed():
            return []
        state = "ready" if self.reader.loaded else "available"
        return [ModelInfo(self.reader.name, self.reader.version, TEXT_TASK, state)]
