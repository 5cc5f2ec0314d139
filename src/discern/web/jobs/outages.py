"""Waits out a database that is away, so that finished work is not thrown away with its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection

from discern.web.jobs.services import backoff_s

log = logging.getLogger(__name__)
ResultT = TypeVar("ResultT")

_SQLITE_AWAY: Final = frozenset({5, 6, 10, 13, 14})
"""SQLITE_BUSY, LOCKED, IOERR, FULL and CANTOPEN (sqlite.org/rescode.html)."""

_POSTGRESQL_AWAY: Final = ("08", "53", "57P")
"""Connection exceptions, insufficient resources, shutdown and recovery (appendix A of its manual);
not 57014, a statement that was canceled, which may be the row's own doing."""


def is_away(error: BaseException) -> bool:
    """Whether the database could not be used for a reason that no row is to blame for."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    if (number := getattr(cause, "sqlite_errorcode", None)) is not None:
        return number & 0xFF in _SQLITE_AWAY
    state = getattr(cause, "sqlstate", None)
    return state is None or state.startswith(_POSTGRESQL_AWAY)


def wait_out(act: Callable[[], ResultT], *, limit_s: float) -> ResultT:
    """Does ``act``, again and again while the database is away. ``act`` must bear repetition: it
    may have been committed although the answer was lost.

    Raises:
        DatabaseError, InterfaceError: it was away for ``limit_s`` seconds, or it refused for
            another reason.
    """
    end = time.monotonic() + limit_s
    tries = 0
    while True:
        try:
            return act()
        except (DatabaseError, InterfaceError) as error:
            tries += 1
            pause = backoff_s(tries, first=0.1, most=2.0)
            if not is_away(error) or time.monotonic() + pause > end:
                raise
            log.warning("The database is away (%s); trying again.", str(error).splitlines()[0])
            if not connection.in_atomic_block:
                connection.close()
            time.sleep(pause)
