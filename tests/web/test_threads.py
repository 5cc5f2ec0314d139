"""The web server's threads."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import pytest

from discern.web.threads import WarmThreads

LONG_S = 20.0


def test_calls_one_after_the_other_are_all_done_by_one_thread() -> None:
    threads = WarmThreads(8)
    seen = set()
    for _ in range(50):
        seen.add(threads.submit(threading.get_ident).result(LONG_S))
        limit = time.monotonic() + LONG_S
        while not threads.resting and time.monotonic() < limit:
            time.sleep(0.001)  # it rests a moment after it has told its result
    assert len(seen) == 1
    threads.shutdown()


def test_calls_at_the_same_time_are_done_by_as_many_threads_as_allowed_and_all_are_done() -> None:
    threads = WarmThreads(3)
    together = threading.Barrier(3)

    def meet(number: int) -> tuple[int, int]:
        together.wait(LONG_S)
        return number, threading.get_ident()

    found = [future.result(LONG_S) for future in [threads.submit(meet, n) for n in range(30)]]
    assert [number for number, _ in found] == list(range(30))
    assert len({ident for _, ident in found}) == 3
    threads.shutdown()


def test_what_a_call_raises_is_told_and_its_thread_goes_on() -> None:
    threads = WarmThreads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(LONG_S)
    assert threads.submit(lambda: 2).result(LONG_S) == 2
    threads.shutdown()


def test_shutting_down_does_what_waits_and_takes_nothing_new() -> None:
    threads = WarmThreads(1)
    begin = threading.Event()
    first = threads.submit(begin.wait, LONG_S)
    waiting = [threads.submit(pow, 2, n) for n in range(5)]
    threads.shutdown(wait=False)
    with pytest.raises(RuntimeError):
        threads.submit(lambda: None)
    begin.set()
    threads.shutdown()
    assert first.done()
    assert [future.result(0) for future in waiting] == [1, 2, 4, 8, 16]


def test_shutting_down_can_cancel_what_waits() -> None:
    threads = WarmThreads(1)
    begin = threading.Event()
    threads.submit(begin.wait, LONG_S)
    waiting: Future[int] = threads.submit(pow, 2, 2)
    threads.shutdown(wait=False, cancel_futures=True)
    begin.set()
    threads.shutdown()
    assert waiting.cancelled()
