"""The web server's threads."""

from __future__ import annotations

import threading
import time
from functools import partial
from queue import SimpleQueue

import pytest

from discern.web.threads import WarmThreads

LONG_S = 20.0


def test_calls_one_after_the_other_are_all_done_by_one_thread() -> None:
    threads = WarmThreads(8)
    seen: SimpleQueue[int] = SimpleQueue()
    found = set()
    for _ in range(50):
        threads.do(lambda: seen.put(threading.get_ident()))
        found.add(seen.get(timeout=LONG_S))
        limit = time.monotonic() + LONG_S
        while not threads.resting and time.monotonic() < limit:
            time.sleep(0.001)  # it rests a moment after it has told its result
    assert len(found) == 1
    threads.shutdown()


def test_calls_at_the_same_time_are_done_by_as_many_threads_as_allowed_and_all_are_done() -> None:
    threads = WarmThreads(3)
    together = threading.Barrier(3)
    seen: SimpleQueue[int] = SimpleQueue()

    def meet() -> None:
        together.wait(LONG_S)
        seen.put(threading.get_ident())

    for _ in range(30):
        threads.do(meet)
    assert len({seen.get(timeout=LONG_S) for _ in range(30)}) == 3
    threads.shutdown()


def test_what_finds_no_thread_waits_in_order() -> None:
    threads = WarmThreads(1)
    begin = threading.Event()
    seen: SimpleQueue[int] = SimpleQueue()
    threads.do(partial(_wait, begin))
    for number in range(20):
        threads.do(partial(seen.put, number))
    begin.set()
    assert [seen.get(timeout=LONG_S) for _ in range(20)] == list(range(20))
    threads.shutdown()


def test_shutting_down_does_what_waits_and_takes_nothing_new() -> None:
    threads = WarmThreads(1)
    begin = threading.Event()
    seen: SimpleQueue[int] = SimpleQueue()
    threads.do(lambda: seen.put(begin.wait(LONG_S)))
    for number in range(5):
        threads.do(partial(seen.put, number))
    threads.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        threads.do(lambda: None)
    begin.set()
    threads.shutdown()
    assert seen.qsize() == 6


def _wait(begin: threading.Event) -> None:
    assert begin.wait(LONG_S)
