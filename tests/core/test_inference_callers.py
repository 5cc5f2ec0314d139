"""Every caller of a batcher gets its own answer, whatever the others do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from discern.errors import (
    DeadlineExceeded,
    DiscernError,
    InferenceFailed,
    InvalidInput,
)
from discern.inference.batching import DynamicBatcher
from tests.core.batchers import PATIENCE_S, Bench, batcher, hold, until

Plan = tuple[int, int, str]
plans = st.lists(
    st.tuples(
        st.integers(1, 600),
        st.sampled_from([0, 0, 0, 0, 0, 1, 2]),
        st.sampled_from(["wait", "wait", "wait", "cancel", "late", "soon", "pause"]),
    ),
    max_size=40,
)


@given(
    callers=st.lists(plans, min_size=1, max_size=4),
    workers=st.integers(1, 3),
    max_items=st.integers(1, 9),
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a race does not shrink
)
def test_every_caller_gets_its_own_answer_exactly_once_whatever_the_others_do(
    callers: list[list[Plan]], workers: int, max_items: int
) -> None:
    bench = Bench()
    with batcher(bench, workers=workers, max_batch_items=max_items, max_batch_cost=900) as made:
        outcomes: dict[int, tuple[Plan, Future[str] | DiscernError]] = {}

        def call(caller: int, plan: list[Plan]) -> None:
            for index, step in enumerate(plan):
                number = caller * 1000 + index
                outcomes[number] = (step, _submit(made, number, step))

        threads = [
            threading.Thread(target=call, args=(caller, plan))
            for caller, plan in enumerate(callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        futures = [item for _, item in outcomes.values() if isinstance(item, Future)]
        assert not wait(futures, PATIENCE_S).not_done
        for number, (step, outcome) in outcomes.items():
            _check(number, step, outcome)
        # What had begun when it was dropped goes on.
        until(lambda: not made.stats().running_items)
        stats = made.stats()
    assert len(outcomes) == sum(map(len, callers))
    total = stats.done + stats.failed + stats.expired + stats.cancelled
    assert total == len(outcomes)
    assert (stats.queued_items, stats.queued_cost, stats.running_items) == (0, 0, 0)
    assert bench.most_running <= workers
    assert all(len(batch) <= max_items for batch in bench.batches)


def _submit(
    made: DynamicBatcher[tuple[int, int], str], number: int, step: Plan
) -> Future[str] | DiscernError:
    cost, poison, what = step
    if what == "pause":
        time.sleep(0.0005)
    offset = {"late": -1.0, "soon": 0.0005}.get(what)
    deadline = None if offset is None else time.monotonic() + offset
    slipped = Slipped()
    drop = None
    if number % 2:
        drop = made.try_submit((number, poison), cost=cost, deadline=deadline, told=slipped.tell)
    if drop is not None:
        if what == "cancel":
            drop()
            slipped.drop()
        return slipped
    try:
        future = made.submit((number, poison), cost=cost, deadline=deadline)
    except DeadlineExceeded as error:
        return error
    if what == "cancel":
        future.cancel()
    return future


SETTLING = threading.Lock()


class Slipped(Future[str]):
    """What is told to one that was queued without a future, and how often."""

    tells = 0

    def tell(self, outcome: str | DiscernError) -> None:
        self.tells += 1
        if isinstance(outcome, DiscernError):
            self._settle(lambda: self.set_exception(outcome))
        else:
            self._settle(lambda: self.set_result(outcome))

    def drop(self) -> None:
        self._settle(self.cancel)

    def _settle(self, how: Callable[[], object]) -> None:
        with SETTLING:
            if not self.done():
                how()
                if self.cancelled():
                    self.set_running_or_notify_cancel()  # those who wait hear of it


def _check(number: int, step: Plan, outcome: Future[str] | DiscernError) -> None:
    _, poison, what = step
    if isinstance(outcome, DiscernError):
        assert what in ("late", "soon")
        return
    assert what != "late"
    if isinstance(outcome, Slipped):
        assert outcome.tells == 1 or (what == "cancel" and outcome.tells == 0)
    try:
        assert outcome.result() == f"answer {number}"
    except CancelledError:
        assert what == "cancel"
    except DeadlineExceeded:
        assert what == "soon"
    except InvalidInput:
        assert poison == 1
    except InferenceFailed:
        assert poison == 2
    else:
        assert poison == 0


def test_a_caller_that_fails_on_its_answer_costs_the_others_nothing() -> None:
    bench = Bench()
    told: list[str | DiscernError] = []

    def fails(_: str | DiscernError) -> None:
        raise RuntimeError("the caller's loop is closed")

    with batcher(bench, workers=1, max_wait_s=0.1) as made:
        hold(bench, made)
        made.try_submit((1, 0), cost=10, deadline=None, told=fails)
        made.try_submit((2, 0), cost=10, deadline=None, told=told.append)
        bench.gate.set()
        until(lambda: told == ["answer 2"])
        bench.gate.clear()
        running = made.submit((3, 0), cost=10)
        made.try_submit((4, 0), cost=10, deadline=time.monotonic() + 0.05, told=fails)
        time.sleep(0.1)
        bench.gate.set()
        assert running.result(PATIENCE_S) == "answer 3"
        assert made.submit((5, 0), cost=10).result(PATIENCE_S) == "answer 5"
