"""A fitted model that goes on learning: it follows the event log and solves columns again.

Serving reads the fitted rows with the columns solved since laid over them. What a person did
shapes their own next list at once (that is the fold-in); here the weights for everybody follow,
in the background and within a bound.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Interaction
from discern.recommendations.counters import Counters
from discern.recommendations.event_log import Event, EventLog
from discern.recommendations.gram import Floats
from discern.recommendations.matrices import folded
from discern.recommendations.rows import Row, Rows

READ_AT_ONCE: Final = 2_000

REFRESHED_AT_ONCE: Final = 10
"""How many columns that only their neighbors' events have changed one call solves again."""


class LiveRows:
    """Rows of a base with some columns replaced. Readers never wait for a solve."""

    def __init__(self, base: Rows, size: int) -> None:
        self._base = base
        self._lock = threading.Lock()
        self._replaced = np.zeros(size, dtype=bool)
        self._columns: dict[int, NDArray[np.int64]] = {}
        self._added: dict[int, dict[int, tuple[float, float]]] = {}

    def row(self, column: int) -> Row:
        """Targets and weights, long and short, the replaced columns in their newest state."""
        targets, long, short = self._base.row(column)
        with self._lock:
            added = dict(self._added.get(column, {}))
            kept = ~self._replaced[targets] if len(targets) else np.empty(0, dtype=bool)
        if not added:
            return targets[kept], long[kept], short[kept]
        extra = np.fromiter(added, dtype=np.int32, count=len(added))
        pairs = np.array(list(added.values()), dtype=np.float32)
        return (
            np.concatenate([targets[kept], extra]),
            np.concatenate([long[kept], pairs[:, 0]]),
            np.concatenate([short[kept], pairs[:, 1]]),
        )

    def replace(
        self, column: int, neighbours: NDArray[np.int64], long: Floats, short: Floats
    ) -> None:
        """Lays a column over the base, in one step for readers."""
        # Half precision, as a bundle would hold it: a restart changes nothing.
        long, short = (part.astype(np.float16).astype(np.float32) for part in (long, short))
        with self._lock:
            for row in self._columns.get(column, np.empty(0, np.int64)).tolist():
                self._added[row].pop(column, None)
            for row, *pair in zip(neighbours.tolist(), long.tolist(), short.tolist(), strict=True):
                self._added.setdefault(row, {})[column] = (pair[0], pair[1])
            self._columns[column] = neighbours
            self._replaced[column] = True


class LiveModel:
    """Follows a log. Several of them on one log come to the same rows once they have read it to
    the end and have nothing left to solve, whenever each of them began and solved what.

    A column's own events put it first in line. It also depends on its neighbors, so each column
    solved since the fit is solved again, a few at a time, until it has seen the end of the log.
    """

    def __init__(
        self,
        log: EventLog,
        rows: LiveRows,
        counters: Counters,
        catalogue: Catalogue,
        *,
        after: int = 0,
    ) -> None:
        self._log = log
        self.rows = rows
        self.counters = counters
        self._catalogue = catalogue
        self._known = len(counters.popularity)
        self.position = after
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._solved: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()
        self.unknown = 0

    @property
    def waiting(self) -> int:
        """How many columns are still to be solved again for events of their own."""
        return len(self._waiting)

    @property
    def settled(self) -> bool:
        """Whether every column solved since the fit has seen all that was read of the log."""
        with self._lock:
            return not self._waiting and not self._stale()

    def catch_up(self) -> int:
        """Reads the log to its end, counts what is new, and returns how many events that were."""
        count = 0
        with self._lock:
            while events := self._log.read(self.position, READ_AT_ONCE):
                for event in events:
                    self._take(event)
                count += len(events)
        return count

    def resolve(self, *, columns: int = 100, seconds: float = 1.0) -> int:
        """Solves the columns longest waiting, at most that many and for about that long; returns
        how many."""
        deadline = time.perf_counter() + seconds
        done = refreshed = 0
        while done < columns and time.perf_counter() < deadline:
            with self._lock:
                if self._waiting:
                    column, _ = self._waiting.popitem(last=False)
                elif refreshed < REFRESHED_AT_ONCE and self._stale():
                    column = next(iter(self._solved))
                    refreshed += 1
                else:
                    break
                self.rows.replace(column, *self.counters.solve(column))
                self._solved[column] = self.position
                self._solved.move_to_end(column)
            done += 1
        return done

    def _stale(self) -> bool:
        return bool(self._solved) and next(iter(self._solved.values())) < self.position

    def _take(self, event: Event) -> None:
        self.position = event.number
        if event.erased:
            self._forget(event.met)
        elif event.withdrawn is not None:
            self._withdraw(*event.withdrawn)
        elif event.dropped is not None:
            self._drop(event.dropped)
        elif event.interaction is not None:
            self._learn(event.interaction)

    def _learn(self, event: Interaction) -> None:
        column = self._catalogue.column(event.content)
        if column is None:
            self.unknown += 1
            return
        if column < self._known and self._count(event.person, event.content, column):
            self._waiting.setdefault(column)

    def _withdraw(self, person: str, content: str) -> None:
        column = self._catalogue.column(content)
        if column is None or column >= self._known:
            return
        self._count(person, content, column)
        # Also where nothing changes: whoever began after it counts without it already, but its
        # fitted column does not.
        self._waiting.setdefault(column)

    def _drop(self, content: str) -> None:
        column = self._catalogue.column(content)
        if column is None or column >= self._known:
            return
        # Whoever met it again since it came back is counted anew from what they did since.
        for person in self.counters.who_met([column]):
            self._count(person, content, column)
            if not self.counters.of_person(person):
                self.counters.remove(person)
        self._waiting.setdefault(column)

    def _count(self, person: str, content: str, column: int) -> bool:
        """Counts what the log says of a pair, so that late events and old verdicts weigh as in a
        fit; what comes later in the log is left for its turn. Returns whether anything changed."""
        events = self._log.of_pair(person, content, until=self.position)
        return self.counters.put(person, column, folded(events))

    def _forget(self, met: tuple[str, ...]) -> None:
        columns = [self._catalogue.column(content) for content in met]
        known = [column for column in columns if column is not None and column < self._known]
        # Whoever began after the erasure counts nothing of the person, but the fitted columns do.
        for column in known:
            self._waiting.setdefault(column)
        people = self.counters.who_met(known) if met else set(self.counters.people())
        for person in people:
            # Whoever came back since is counted anew from what they did since.
            if not self._log.knows(person, before=self.position):
                for column in self.counters.remove(person):
                    self._waiting.setdefault(column)
