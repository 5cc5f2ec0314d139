"""Lets each kind of job remove what is left over, now and then, beside a worker's other work."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from django.db import close_old_connections, connection

from discern.web.jobs import services
from discern.web.jobs.registry import kinds

log = logging.getLogger(__name__)

ASK_EVERY_S: Final = 300.0
"""Between two times that a worker asks, give or take a fifth; the first is that long after its
start, so that a site whose workers all start at once does not begin with it."""


class Tidier:
    """Asks on a thread of its own: a bucket may take minutes to look through, and whoever sweeps
    must not wait for that."""

    def __init__(self) -> None:
        self._due = time.monotonic() + services.backoff_s(1, first=ASK_EVERY_S, most=ASK_EVERY_S)
        self._thread: threading.Thread | None = None

    def start_if_due(self) -> None:
        """Returns at once. The thread ends with the process; what it leaves is left over still."""
        busy = self._thread is not None and self._thread.is_alive()
        if busy or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + services.backoff_s(1, first=ASK_EVERY_S, most=ASK_EVERY_S)
        self._thread = threading.Thread(target=tidy_once, name="tidier", daemon=True)
        self._thread.start()


def tidy_once() -> None:
    """Asks every kind; one that fails is asked again the next time."""
    close_old_connections()
    for kind in kinds():
        try:
            removed = kind.tidy() if kind.tidy is not None else {}
        except Exception:
            log.exception("What is left over of %s could not be removed.", kind.name)
            continue
        if any(removed.values()):
            told = ", ".join(f"{count} {what}" for what, count in removed.items())
            log.info("Removed %s.", told)
    connection.close()
