"""Sends the short calls of many threads together: whoever is free takes along what waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from discern.errors import (
    DeadlineExceeded,
    DiscernError,
    Unauthorized,
    Unavailable,
    error_from_dict,
)
from discern.text.contract import Sentiment

MOST_CALLS: Final = 2
"""Gathered calls under way at once: while one is being answered, the next is on its way."""
MOST_TEXTS: Final = 32
MOST_CALL_CHARS: Final = 2_000
"""Longer calls go alone: nobody should wait for another one's long text."""
_SHARED: Final = (Unavailable, Unauthorized)
"""Errors that say nothing about the texts: each caller would have had them alone too."""

Send = Callable[[Sequence[str], str | None, float], list[Sentiment]]
"""``send(texts, model, deadline)`` gives a mood for each text or raises a core error; the deadline
is a :func:`time.monotonic` instant."""


@dataclass(slots=True, eq=False)
class _Waiting:
    texts: Sequence[str]
    model: str | None
    deadline: float
    turn: threading.Lock
    leads: bool = False
    moods: list[Sentiment] | None = None
    error: DiscernError | None = None


class Gatherer:
    """Carries calls of one process to a server that batches.

    A call goes out at once while fewer than :data:`MOST_CALLS` are under way. Those that come
    meanwhile wait for one of them to end; then the longest waiting one takes the others along.
    There is no timer, so a caller that is alone waits for nobody. A call that fails because of
    its texts is repeated by each caller alone, so nobody pays for another one's text.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._under_way = 0

    def call(self, texts: Sequence[str], model: str | None, deadline: float) -> list[Sentiment]:
        """The moods of ``texts``, which have been checked.

        Raises:
            DeadlineExceeded: the deadline came before the answer.
            DiscernError: whatever ``send`` raises for these texts.
        """
        if len(texts) > MOST_TEXTS or sum(map(len, texts)) > MOST_CALL_CHARS:
            return self._send(texts, model, deadline)
        mine = _Waiting(texts, model, deadline, threading.Lock())
        with self._lock:
            mine.leads = self._under_way < MOST_CALLS
            if mine.leads:
                self._under_way += 1
            else:
                mine.turn.acquire()
                self._queue.append(mine)
        if not mine.leads:
            self._wait(mine)
        if mine.leads:
            return self._lead(mine)
        return self._outcome(mine)

    def _wait(self, mine: _Waiting) -> None:
        try:
            if mine.turn.acquire(timeout=max(mine.deadline - time.monotonic(), 0.0)):
                return
            raise DeadlineExceeded("The time for this request ran out.")
        except BaseException:
            with self._lock:
                if mine in self._queue:
                    self._queue.remove(mine)
                elif mine.leads:  # chosen in this very moment
                    self._hand_over()
            raise

    def _lead(self, mine: _Waiting) -> list[Sentiment]:
        others: list[_Waiting] = []
        try:
            with self._lock:
                others = self._companions(mine)
            texts = [text for call in (mine, *others) for text in call.texts]
            moods = self._send(texts, mine.model, mine.deadline)
            at = len(mine.texts)
            for other in others:
                other.moods = moods[at : at + len(other.texts)]
                at += len(other.texts)
            return moods[: len(mine.texts)]
        except _SHARED as error:
            for other in others:
                other.error = error_from_dict(error.to_dict())
            raise
        except DiscernError:
            if not others:
                raise
        finally:
            with self._lock:
                self._hand_over()
            for other in others:
                other.turn.release()
        return self._send(mine.texts, mine.model, mine.deadline)

    def _companions(self, mine: _Waiting) -> list[_Waiting]:
        room, others, passed = MOST_TEXTS - len(mine.texts), list[_Waiting](), list[_Waiting]()
        while self._queue and room > 0:
            other = self._queue.popleft()
            if other.model == mine.model and len(other.texts) <= room:
                others.append(other)
                room -= len(other.texts)
            else:
                passed.append(other)
        self._queue.extendleft(reversed(passed))
        return others

    def _hand_over(self) -> None:
        if not self._queue:
            self._under_way -= 1
            return
        following = self._queue.popleft()
        following.leads = True
        following.turn.release()

    def _outcome(self, mine: _Waiting) -> list[Sentiment]:
        if mine.moods is not None:
            return mine.moods
        if mine.error is not None:
            raise mine.error
        return self._send(mine.texts, mine.model, mine.deadline)
