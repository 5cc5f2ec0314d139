"""Deadlines are kept without a timer for each."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from discern.model_server.deadlines import NEAR_S, Deadlines


def test_each_item_ends_at_its_deadline_unless_it_was_taken_out() -> None:
    async def run() -> dict[str, float]:
        ended: dict[str, float] = {}
        deadlines = Deadlines[str](
            asyncio.get_running_loop(), lambda item: ended.setdefault(item, time.monotonic())
        )
        now = time.monotonic()
        due = {"late": now - 1, "soon": now + 0.05, "far": now + 2.2 * NEAR_S, "gone": now + 0.1}
        due["gone far"] = now + 2 * NEAR_S
        for item, deadline in due.items():
            deadlines.add(item, deadline)
        deadlines.discard("gone")
        deadlines.discard("gone far")
        deadlines.discard("unknown")
        await asyncio.sleep(2.6 * NEAR_S)
        assert all(instant >= due[item] for item, instant in ended.items())
        assert ended["soon"] < due["far"]
        return ended

    with ThreadPoolExecutor(1) as thread:
        assert list(thread.submit(lambda: asyncio.run(run())).result()) == ["late", "soon", "far"]
