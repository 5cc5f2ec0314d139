"""The web server's threads: the one that rested last works next, so that few of them are in use.

A pool that takes turns spreads a light load over all its threads, and each of those has a database
connection of its own, whose pages every other one's write makes stale.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

from gunicorn.workers.gthread import ThreadWorker

P = ParamSpec("P")
T = TypeVar("T")
_Task = tuple[Future[Any], Callable[[], Any]]


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker with :class:`WarmThreads`."""

    def get_thread_pool(self) -> Executor:
        """What gunicorn asks for once, when the process starts."""
        return WarmThreads(self.cfg.threads)


class WarmThreads(Executor):
    """At most ``most`` threads, started when none is idle; what finds none waits in order.

    They are daemons: a server that has waited out its grace period leaves them behind.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        self._all: list[_Thread] = []
        self._waiting: deque[_Task] = deque()
        self._closed = False

    @property
    def resting(self) -> int:
        """How many threads have nothing to do."""
        with self._lock:
            return len(self._idle)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """See :meth:`concurrent.futures.Executor.submit`.

        Raises:
            RuntimeError: after :meth:`shutdown`.
        """
        future: Future[T] = Future()
        task = (future, partial(fn, *args, **kwargs))
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
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes nothing new; every thread ends once nothing waits."""
        with self._lock:
            self._closed = True
            while cancel_futures and self._waiting:
                self._waiting.popleft()[0].cancel()
            while self._idle:
                self._idle.pop().give(None)
        for thread in self._all if wait else ():
            thread.join()

    def _next(self, thread: _Thread) -> _Task | None:
        """What the thread is to do next, or None: it ends."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            if self._closed:
                return None
            self._idle.append(thread)
        return thread.wait()


class _Thread(threading.Thread):
    def __init__(self, pool: WarmThreads, first: _Task) -> None:
        super().__init__(name="request", daemon=True)
        self._pool = pool
        self._task: _Task | None = first
        self._given = threading.Lock()
        self._given.acquire()

    def give(self, task: _Task | None) -> None:
        """Wakes the thread, which is idle."""
        self._task = task
        self._given.release()

    def wait(self) -> _Task | None:
        """Rests until it is given something."""
        self._given.acquire()
        return self._task

    def run(self) -> None:
        task = self._task
        while task is not None:
            future, work = task
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
            self._task = task = None
            task = self._pool._next(self)
