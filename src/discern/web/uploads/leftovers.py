"""Takes back files whose rows a failing database may or may not have stored.

A connection that breaks at COMMIT does not tell which. Files of a row that is there are needed, and
those of one that is not would stay until :mod:`discern.web.uploads.housekeeping` finds them; so the
database is asked, once it can be, and nobody waits for that.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Final

from django.db import Error as DatabaseFailure
from django.db import IntegrityError, connection, transaction

from discern.web.jobs.outages import wait_out
from discern.web.uploads import storing
from discern.web.uploads.models import Upload

log = logging.getLogger(__name__)

WAIT_S: Final = 3_600.0
"""How long a database that is away is waited for; after that the hourly cleaning has the files."""


class Doubts:
    """Rows whose fate is unknown, and the thread that finds it out."""

    def __init__(self) -> None:
        self._rows: queue.Queue[Sequence[Upload]] = queue.Queue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def settle(self, rows: Sequence[Upload]) -> None:
        """Removes the files of those ``rows`` that were not stored; returns at once."""
        self._rows.put(rows)
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leftovers", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Returns once every row it was told of is settled."""
        self._rows.join()

    def _run(self) -> None:
        while True:
            rows = self._rows.get()
            try:
                for row in rows:
                    self._settle(row)
            finally:
                connection.close()
                self._rows.task_done()

    @staticmethod
    def _settle(row: Upload) -> None:
        try:
            if not wait_out(lambda: is_stored(row), limit_s=WAIT_S):
                storing.remove([row.original])
        except (DatabaseFailure, OSError):
            log.warning("%s may be of no upload; cleaning will tell.", row.original, exc_info=True)


def is_stored(row: Upload) -> bool:
    """Whether the row is in the database, also if a transaction that nobody listens to any more is
    about to store it: that one's end is waited for."""
    try:
        with transaction.atomic():
            # Reading would not see a row that is yet to be committed; inserting it again waits for
            # that, and is itself never committed.
            Upload._default_manager.bulk_create([row])
            transaction.set_rollback(True)
    except IntegrityError:
        return True
    return False


doubts = Doubts()
"""Those of this process."""
