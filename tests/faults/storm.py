"""What goes wrong, in turn: workers killed at random, then the broker, the model server, the
database, and last the disk."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.services import Service

BALLAST: Final = "ballast"


class Kept:
    """A program that is started again whenever it ends, as a supervisor does it."""

    def __init__(self, start: Callable[[], int], ended: Callable[[int], bool]) -> None:
        self._start, self._ended = start, ended
        self._stop = threading.Event()
        self.pid = start()
        self.restarts = 0
        self._thread = threading.Thread(target=self._look_after, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """All its processes at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def kill_one(self, chance: random.Random) -> None:
        """Any one of its processes, the first or a child."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice([self.pid, *_children(self.pid)]), signal.SIGKILL)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGTERM)

    def _look_after(self) -> None:
        while not self._stop.wait(0.1):
            if self._ended(self.pid):
                self.pid = self._start()
                self.restarts += 1


@dataclass(slots=True)
class Storm:
    """Runs the faults; ``counts`` says how often each happened."""

    workers: list[Kept]
    model_server: Kept
    broker: Service | None
    database: Service | None
    disk: Path | None
    seed: int
    is_busy: Callable[[], bool]
    counts: dict[str, int] = field(default_factory=dict)

    def run(self, *, kills: int, let_in: Callable[[float], None]) -> None:
        """``kills`` workers are killed, each at a random moment while some picture is being worked
        on; the other faults come at equal distances. ``let_in`` is told how far the storm is, so
        that uploads arrive all through it."""
        chance = random.Random(self.seed)
        others = list(self._others())
        due = [kills * (place + 1) // (len(others) + 1) for place in range(len(others))]
        for number in range(kills):
            let_in((number + 1) / kills)
            if number in due:
                others[due.index(number)]()
            self._until(self.is_busy)
            time.sleep(chance.uniform(0.0, 0.06))
            worker = chance.choice(self.workers)
            worker.kill_one(chance) if chance.random() < 0.3 else worker.kill()
            self._count("workers killed")

    def _others(self) -> Iterator[Callable[[], None]]:
        if self.broker is not None:
            yield self._stop_broker
        yield self._kill_model_server
        if self.database is not None:
            yield self._restart_database
        if self.disk is not None:
            yield self._fill_disk

    def _stop_broker(self) -> None:
        if self.broker is not None:
            for stop in (self.broker.stop, self.broker.kill):
                stop()
                time.sleep(2)
                self.broker.start()
                self._count("broker stopped or killed, and started")
                time.sleep(1)

    def _kill_model_server(self) -> None:
        for _ in range(3):
            self.model_server.kill()
            self._count("model server killed")
            time.sleep(4)

    def _restart_database(self) -> None:
        if self.database is not None:
            for stop in (self.database.stop, self.database.kill):
                stop()
                time.sleep(1)
                self.database.start()
                self._count("database restarted")
                time.sleep(2)

    def _fill_disk(self) -> None:
        if self.disk is None:
            return
        path = self.disk / BALLAST
        with contextlib.suppress(OSError), path.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(65_536))
        time.sleep(5)
        path.unlink()
        self._count("disk filled")

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    @staticmethod
    def _until(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
        end = time.monotonic() + limit_s
        while not condition() and time.monotonic() < end:
            time.sleep(0.05)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(child) for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
