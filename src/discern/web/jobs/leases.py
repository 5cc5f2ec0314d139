"""Renews the leases of the rows this process works on, from one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import DatabaseError, connection

from discern.web.jobs.services import Claim, renew

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    claim: Claim
    since: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)
    lost: threading.Event = field(default_factory=threading.Event)


class LeaseKeeper:
    """Keeps leases until they are let go, lost, or past their kind's time limit.

    The thread starts with the first lease and lives with the process; a forked child, which has
    no such thread, starts its own.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keep(self, claim: Claim) -> Iterator[threading.Event]:
        """Renews ``claim`` while the block runs; yields the event that says it was lost."""
        held = _Held(claim)
        with self._changed:
            self._held[claim.token] = held
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield held.lost
        finally:
            with self._changed:
                self._held.pop(claim.token, None)

    def _run(self) -> None:
        while True:
            for held in self._wait_for_due():
                self._renew_if_due(held)

    def _wait_for_due(self) -> list[_Held]:
        with self._changed:
            while not (alive := [h for h in self._held.values() if not h.lost.is_set()]):
                connection.close()  # one that nobody needs would only keep others waiting
                self._changed.wait()
            due = min(held.renewed + held.claim.kind.lease_s / 3 for held in alive)
            self._changed.wait(max(0.02, due - time.monotonic()))
            return list(self._held.values())

    def _renew_if_due(self, held: _Held) -> None:
        now = time.monotonic()
        kind = held.claim.kind
        if held.lost.is_set() or now - held.renewed < kind.lease_s / 3:
            return
        held.renewed = now
        if now - held.since > kind.time_limit_s:
            log.error(
                "%s %s passed its limit of %g s.", kind.name, held.claim.pk, kind.time_limit_s
            )
            held.lost.set()
            return
        try:
            if not renew(held.claim):
                held.lost.set()
        except DatabaseError:
            # The lease lasts for two more tries; the handler's own writes are fenced anyway.
            log.warning("Could not renew the lease of %s.", held.claim.pk, exc_info=True)
            connection.close()


keeper = LeaseKeeper()
"""This process's keeper."""
