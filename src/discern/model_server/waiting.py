"""Waiting on worker threads from the event loop, no longer than the caller does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from discern.errors import Cancelled, DeadlineExceeded, DiscernError
from discern.model_server.arrivals import Arrivals
from discern.model_server.exchange import Receive

T = TypeVar("T")
WATCH_AFTER_S: Final = 0.15
"""A caller is watched for going away only once it has waited this long: watching costs as much as
parsing the request did, and most answers are there before."""

CLOSE_AGAIN_S: Final = 0.01


class Bridge:
    """Wakes the event loop once for a whole batch of futures that other threads completed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._arrivals: Arrivals[asyncio.Future[None]] = Arrivals(loop, _wake)

    def waiter(self, future: Future[Any]) -> asyncio.Future[None]:
        """A future of the loop that is done once the other one is, whatever its outcome."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        future.add_done_callback(lambda _: self._arrivals.put(waiter))
        return waiter


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class Patience:
    """Ends a wait at the caller's deadline, or when it closes its connection."""

    __slots__ = ("_deadline", "_loop", "_reason", "_receive", "_timer", "_waiter", "_watcher")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, receive: Receive | None, deadline: float
    ) -> None:
        self._loop = loop
        self._receive = receive
        self._deadline = deadline
        self._waiter: asyncio.Future[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._reason: DiscernError | None = None
        first = min(WATCH_AFTER_S, max(deadline - time.monotonic(), 0.0))
        self._timer = loop.call_later(first, self._look)

    async def wait(self, waiter: asyncio.Future[None]) -> None:
        """Waits.

        Raises:
            DeadlineExceeded: the deadline came first.
            Cancelled: the client closed the connection first.
        """
        self.check()
        self._waiter = waiter
        await waiter

    def check(self) -> None:
        """Raises if the caller waits no longer."""
        if self._reason is not None:
            raise self._reason

    def close(self) -> None:
        """Stops watching."""
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()

    def _look(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._give_up(DeadlineExceeded("The time for this request ran out."))
            return
        self._timer = self._loop.call_later(left, self._look)
        if self._watcher is None and self._receive is not None:
            self._watcher = self._loop.create_task(self._watch(self._receive))

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._give_up(Cancelled("The client went away."))

    def _give_up(self, reason: DiscernError) -> None:
        self._reason = reason
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(reason)


async def drive(
    steps: Generator[Future[Any], None, T],
    bridge: Bridge,
    patience: Patience,
    *,
    aside: asyncio.AbstractEventLoop | None = None,
    begun: Callable[[float], None] = lambda _: None,
) -> T:
    """Carries a call's steps through (see :meth:`LoadedSentiment.steps`).

    ``begun`` is told the seconds until the first text was queued, nearly all of them tokenizing.

    ``aside`` is the loop whose thread pool takes the steps that compute long; without it they run
    here, which for a short text is cheaper than handing it over.
    """
    started: float | None = time.perf_counter()
    try:
        while True:
            if aside is None:
                step = _advance(steps)
            else:
                step = await aside.run_in_executor(None, _advance, steps)
            if started is not None:
                begun(time.perf_counter() - started)
                started = None
            if isinstance(step, StopIteration):
                result: T = step.value
                return result
            if step.done():
                patience.check()
            else:
                await patience.wait(bridge.waiter(step))
    finally:
        _close(steps)


def _close(steps: Generator[Future[Any], None, Any]) -> None:
    try:
        steps.close()
    except ValueError:  # given up while a thread is at work in it, which cannot be ended
        asyncio.get_running_loop().call_later(CLOSE_AGAIN_S, _close, steps)


def _advance(steps: Generator[Future[Any], None, Any]) -> Future[Any] | StopIteration:
    try:
        return next(steps)
    except StopIteration as stop:  # cannot travel through a future
        return stop
