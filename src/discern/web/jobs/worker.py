"""The embedded worker: looks into the database for rows, and runs them on a few threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from discern.web.jobs import bells, numbers, services
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.owners import owner_name
from discern.web.jobs.registry import Kind, kinds
from discern.web.jobs.services import Claim
from discern.web.jobs.tidying import Tidier

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.05
"""Between two looks at an idle queue when no bell rings: a new row, be it another machine's, is
seen within this and the look's own time."""

SWEEP_EVERY_S: Final[float] = settings.JOB_LEASE_S / 6

REAP_EVERY_S: Final = 1.0
"""Between two looks at whether the workers of this machine that hold rows still run."""


@dataclass(slots=True)
class _Pause:
    """How long to leave the queue alone while the model server is away."""

    until: float = 0.0
    rounds: int = 0

    def lengthen(self) -> None:
        self.rounds += 1
        self.until = time.monotonic() + services.backoff_s(self.rounds, first=0.25, most=5.0)


class Worker:
    """Runs rows until told to stop.

    ``engine_ready`` is asked before the queue is touched again after the model server was away,
    so that an outage costs one question every few seconds and no claims.
    """

    def __init__(
        self,
        *,
        threads: int,
        engine_ready: Callable[[], bool],
        among: Sequence[Kind] | None = None,
    ) -> None:
        self._threads = threads
        self._engine_ready = engine_ready
        self._among = among
        self._owner = owner_name()
        self._stopping = threading.Event()
        self._halt = threading.Event()
        self._running: set[Future[Outcome]] = set()
        self._pause = _Pause()
        self._bell = bells.Listener(bells.QUEUED)

    def stop(self) -> None:
        """Asks the worker to claim nothing more and to return what it has; safe in a signal."""
        self._stopping.set()
        self._halt.set()
        self._bell.poke()

    def run(self) -> None:
        """Works until :meth:`stop`; returns when every row has been finished or returned."""
        sweeper = threading.Thread(
            target=sweep_until, args=(self._stopping,), name="sweeper", daemon=True
        )
        sweeper.start()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="job") as pool:
            while not self._stopping.is_set():
                try:
                    self._step(pool)
                except DatabaseError:
                    log.exception("The database did not answer; looking again in a second.")
                    connection.close()
                    self._stopping.wait(1.0)
            _close_connections(pool, self._threads)
        sweeper.join(timeout=1.0)
        self._bell.close()

    def _step(self, pool: ThreadPoolExecutor) -> None:
        self._collect()
        free = self._threads - len(self._running)
        claims = self._claim(free) if free and self._may_claim() else []
        for claim in claims:
            self._start(pool, claim)
        if not claims:
            # With no thread free there is nothing to look for, until one is.
            self._bell.wait(LOOK_EVERY_S if free else None)

    def _claim(self, limit: int) -> list[Claim]:
        return services.claim_next(owner=self._owner, among=self._among or kinds(), limit=limit)

    def _start(self, pool: ThreadPoolExecutor, claim: Claim) -> None:
        if claim.last_try and claim.kind.max_attempts > 1:
            self._make_room()
        future = pool.submit(_run_in_thread, claim, self._halt)
        self._running.add(future)
        future.add_done_callback(lambda _: self._bell.poke())
        if claim.last_try and claim.kind.max_attempts > 1:
            wait([future])

    def _make_room(self) -> None:
        """A row on its last try runs alone: if it kills this process once more, no neighbor's
        attempt is spent with it. Long neighbors return to the queue at their next stop."""
        self._halt.set()
        wait(self._running)
        self._halt = threading.Event()
        if self._stopping.is_set():  # stop() may have set the event just replaced
            self._halt.set()

    def _collect(self) -> None:
        done = {future for future in self._running if future.done()}
        self._running -= done
        for future in done:
            if future.exception() is not None:
                log.error(
                    "A row could not be settled; its lease will end.", exc_info=future.exception()
                )
            elif future.result() is Outcome.WAITING:
                self._pause.lengthen()
            elif future.result() is Outcome.SETTLED:
                self._pause = _Pause()

    def _may_claim(self) -> bool:
        if not self._pause.rounds:
            return True
        if time.monotonic() < self._pause.until:
            return False
        if self._engine_ready():
            self._pause = _Pause()
            return True
        self._pause.lengthen()
        return False


def sweep_until(stopping: threading.Event) -> None:
    """Sweeps and reaps, at once and then regularly, and lets each kind tidy up now and then, until
    told to stop."""
    swept = 0.0
    tidier = Tidier()
    while True:
        if time.monotonic() >= swept:
            swept = time.monotonic() + services.backoff_s(1, first=SWEEP_EVERY_S)
            sweep_once()
        _put_right(services.reap)
        tidier.start_if_due()
        if stopping.wait(REAP_EVERY_S):
            break
    connection.close()


def sweep_once() -> None:
    """One round of the sweeper; a database that is away is met again in the next."""
    _put_right(services.sweep)
    _put_right(services.put_in_due)


def _put_right(act: Callable[[], dict[str, int]]) -> None:
    try:
        close_old_connections()
        done = act()
    except DatabaseError:
        log.warning("The sweeper could not reach the database.", exc_info=True)
        connection.close()
        return
    for name, count in done.items():
        numbers.SWEPT.labels(name).inc(count)
    if any(done.values()):
        log.info("Swept: %s.", ", ".join(f"{count} {name}" for name, count in done.items()))


def _run_in_thread(claim: Claim, stopping: threading.Event) -> Outcome:
    close_old_connections()
    return run(claim, stopping=stopping)


def _close_connections(pool: ThreadPoolExecutor, threads: int) -> None:
    """Lets each thread of the pool close its own; the barrier gives every thread one of the calls,
    once it is done with its row."""
    barrier = threading.Barrier(threads)

    def close() -> None:
        barrier.wait()
        connection.close()

    wait([pool.submit(close) for _ in range(threads)])
