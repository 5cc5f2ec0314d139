"""The web server's threads: the one that rested last works next, so that few of them are in use.

A pool that takes turns spreads a light load over all its threads, and each of those has a database
connection of its own, whose pages every other one's write makes stale.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

Task = Callable[[], None]


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with :class:`WarmThreads`, and without a future, whose locks and
    callbacks nobody needs, for each request."""

    def get_thread_pool(self) -> WarmThreads:
        """What gunicorn asks for once, when the process starts."""
        return WarmThreads(self.cfg.threads)

    def enqueue_req(self, conn: Any) -> None:
        """Has a connection's next request answered by a thread."""
        self.tpool.do(partial(self._answer, conn))

    def _answer(self, conn: Any) -> None:
        try:
            ended = _Ended(self.handle(conn))
        except BaseException as error:
            ended = _Ended(error=error)
        self.method_queue.defer(self.finish_request, conn, ended)


class _Ended:
    """The part of a done future that gunicorn asks."""

    def __init__(self, result: Any = None, error: BaseException | None = None) -> None:
        self._result = result
        self._error = error

    def cancelled(self) -> bool:
        return False

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._result


class WarmThreads:
    """At most ``most`` threads, started when none is idle; what finds none waits in order.

    They are daemons: a server that has waited out its grace period leaves them behind.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._all: list[_Thread] = []
        self._waiting: deque[Task] = deque()
        self._closed = False

    @property
    def resting(self) -> int:
        """How many threads have nothing to do."""
        with self._lock:
            return len(self._idle)

    def do(self, task: Task) -> None:
        """Has a thread call ``task``, which must not raise.

        Raises:
            RuntimeError: after :meth:`shutdown`.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("These threads have been told to end.")
            if self._idle:
                self._idle.pop().give(task)
            elif len(self._all) < self._most:
                self._all.append(_Thread(self, task))
                self._all[-1].start()
            else:
                self._waiting.append(task)

    def shutdown(self, wait: bool = True) -> None:
        """Takes nothing new; every thread ends once nothing waits."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().give(None)
        for thread in self._all if wait else ():
            thread.join()

    def _next(self, thread: _Thread) -> Task | None:
        """What the thread is to do next, or None: it ends."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._closed:
                return None
            self._idle.append(thread)
        return thread.wait()


class _Thread(threading.Thread):
    def __init__(self, pool: WarmThreads, first: Task) -> None:
        super().__init__(name="request", daemon=True)
        self._pool = pool
        self._task: Task | None = first
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, task: Task | None) -> None:
        """Wakes the thread, which is idle."""
        self._task = task
        self._given.release()

    def wait(self) -> Task | None:
        """Rests until it is given something."""
        self._given.acquire()
        return self._task

    def run(self) -> None:
        task = self._task
        while task is not None:
            task()
            self._task = task = None
            task = self._pool._next(self)
