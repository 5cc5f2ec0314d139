"""Calls of the engine that hold a thread until they are done, timed and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from discern.engine.residents import Key
from discern.model_server.exchange import Request
from discern.model_server.server import Server


class Answer(Protocol):
    """What says which model made it."""

    @property
    def model_name(self) -> str: ...
    @property
    def model_version(self) -> str: ...


A = TypeVar("A", bound=Answer)


async def call(
    server: Server,
    request: Request,
    pool: ThreadPoolExecutor,
    work: Callable[[float], A],
    asked: Callable[[], Key | None],
) -> A:
    """Runs ``work`` in the pool, as long as the client waits.

    Args:
        work: given the seconds that are left.
        asked: the model's name and version, for the count of a failure; None where none was
            reached, and then nobody's is counted.

    Raises:
        DiscernError: as :meth:`Server.carry`.
    """
    started = time.monotonic()
    steps = _steps(pool, lambda: work(max(request.deadline - time.monotonic(), 0.0)))
    try:
        answer = await server.carry(steps, request.receive, deadline=request.deadline, chars=0)
    except BaseException:
        _count(server, asked(), ok=False, started=started)
        raise
    key = answer.model_name, answer.model_version
    _count(server, key, ok=True, started=started)
    return answer


def _count(server: Server, key: Key | None, *, ok: bool, started: float) -> None:
    if key is not None:
        server.metrics.model(*key).request(ok=ok, seconds=time.monotonic() - started)


def _steps(pool: ThreadPoolExecutor, work: Callable[[], A]) -> Generator[Future[Any], None, A]:
    future = pool.submit(work)
    try:
        yield future
        return future.result()
    finally:
        future.cancel()
