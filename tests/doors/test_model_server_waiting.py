"""A call that is given up is ended, wherever it stands."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from discern.model_server.waiting import Bridge, Patience, drive


def test_a_call_given_up_while_a_thread_is_at_work_in_it_is_cancelled_and_closed() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def steps() -> Generator[Future[Any], None, None]:
        try:
            begun.set()
            go_on.wait(30)
            yield Future()
        finally:
            closed.set()

    async def give_up() -> None:
        loop = asyncio.get_running_loop()
        patience = Patience(loop, None, time.monotonic() + 60)
        call = asyncio.create_task(drive(steps(), Bridge(loop), patience, aside=loop))
        assert await asyncio.to_thread(begun.wait, 30)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        assert call.cancelled()
        patience.close()
        assert not closed.is_set()
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 30)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(give_up())).result()
