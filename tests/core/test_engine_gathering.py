"""Calls that are sent together: nobody gets another one's answer, error, or waiting time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discern.engine.gathering import MOST_CALL_CHARS, MOST_CALLS, MOST_TEXTS, Gatherer
from discern.errors import DeadlineExceeded, DiscernError, InferenceFailed, Overloaded
from discern.text.contract import Sentiment

ALL = 1_000_000


def mood(text: str) -> Sentiment:
    return Sentiment(text, 1.0, {text: 1.0}, 1, 1, "words", "1.0.0")


class Server:
    """Answers each text with itself; a call stays under way until it is let through."""

    def __init__(self, *, let_through: int = 0) -> None:
        self._changed = threading.Condition()
        self._through = let_through
        self.calls: list[list[str]] = []
        self.models: list[str | None] = []
        self.error: Callable[[Sequence[str]], DiscernError | None] = lambda _: None

    def send(self, texts: Sequence[str], model: str | None, deadline: float) -> list[Sentiment]:
        with self._changed:
            number = len(self.calls)
            self.calls.append(list(texts))
            self.models.append(model)
            if not self._changed.wait_for(
                lambda: number < self._through, max(deadline - time.monotonic(), 0)
            ):
                raise DeadlineExceeded("late")
        if error := self.error(texts):
            raise error
        return [mood(text) for text in texts]

    def let(self, calls: int) -> None:
        """Lets so many calls through, counted from the beginning."""
        with self._changed:
            self._through = calls
            self._changed.notify_all()

    def wait_for_calls(self, count: int) -> None:
        end = time.monotonic() + 10
        while len(self.calls) < count and time.monotonic() < end:
            time.sleep(0.001)
        assert len(self.calls) == count


class Callers:
    """Threads that call one gatherer, with those that hold all its calls under way."""

    def __init__(self, pool: ThreadPoolExecutor, server: Server) -> None:
        self.gatherer, self._pool, self._server = Gatherer(server.send), pool, server
        self.first = [self.call([f"first {index}"]) for index in range(MOST_CALLS)]
        server.wait_for_calls(MOST_CALLS)

    def call(
        self, texts: list[str], *, model: str | None = None, seconds: float = 30.0
    ) -> Future[list[Sentiment]]:
        return self._pool.submit(self.gatherer.call, texts, model, time.monotonic() + seconds)

    def queue(self, *calls: list[str]) -> list[Future[list[Sentiment]]]:
        """Calls that wait, in this order."""
        found = []
        for texts in calls:
            before = len(self.gatherer._queue)
            found.append(self.call(texts))
            while len(self.gatherer._queue) == before:
                time.sleep(0.001)
        return found


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def callers(server: Server) -> Iterator[Callers]:
    with ThreadPoolExecutor(32) as pool:
        yield Callers(pool, server)
        server.let(ALL)


def test_what_waits_goes_out_together_once_a_call_ends(server: Server, callers: Callers) -> None:
    waiting = callers.queue(["a"], ["b", "c"], ["d"])
    assert len(server.calls) == MOST_CALLS
    server.let(1)
    server.wait_for_calls(MOST_CALLS + 1)
    server.let(ALL)
    assert [[m.label for m in call.result(10)] for call in waiting] == [["a"], ["b", "c"], ["d"]]
    assert server.calls[MOST_CALLS] == ["a", "b", "c", "d"]


def test_a_long_call_waits_for_nobody(server: Server, callers: Callers) -> None:
    for texts in (["x" * (MOST_CALL_CHARS + 1)], ["x"] * (MOST_TEXTS + 1)):
        callers.call(texts)
    server.wait_for_calls(MOST_CALLS + 2)
    server.let(ALL)


def test_calls_for_different_models_are_kept_apart(server: Server, callers: Callers) -> None:
    callers.queue(["a"], ["b"])
    callers.call(["c"], model="other")
    while len(callers.gatherer._queue) < 3:
        time.sleep(0.001)
    server.let(1)
    server.wait_for_calls(MOST_CALLS + 1)
    server.let(ALL)
    server.wait_for_calls(MOST_CALLS + 2)
    assert sorted(server.calls[MOST_CALLS:]) == [["a", "b"], ["c"]]
    assert server.models[server.calls.index(["c"])] == "other"


def test_one_text_that_fails_costs_only_its_own_caller(server: Server, callers: Callers) -> None:
    server.error = lambda texts: InferenceFailed("no", field="texts[0]") if "bad" in texts else None
    good, bad, fine = callers.queue(["good"], ["bad"], ["fine"])
    server.let(ALL)
    assert [call.result(10)[0].label for call in (good, fine)] == ["good", "fine"]
    with pytest.raises(InferenceFailed):
        bad.result(10)


def test_a_refusal_is_every_callers_own_and_is_not_tried_again(
    server: Server, callers: Callers
) -> None:
    server.error = lambda texts: (
        None if texts[0].startswith("first") else Overloaded("full", limit=3, retry_after_s=0.4)
    )
    waiting = callers.queue(["a"], ["b"])
    server.let(1)
    server.wait_for_calls(MOST_CALLS + 1)
    server.let(ALL)
    errors = [call.exception(10) for call in waiting]
    assert [type(error) for error in errors] == [Overloaded, Overloaded]
    assert errors[0] is not errors[1]
    assert {error.retry_after_s for error in errors if isinstance(error, Overloaded)} == {0.4}
    assert server.calls[MOST_CALLS:] == [["a", "b"]]


def test_who_waits_no_longer_than_its_deadline_leaves_the_others_their_turn(
    server: Server, callers: Callers
) -> None:
    hasty = callers.call(["hasty"], seconds=0.05)
    [patient] = callers.queue(["patient"])
    assert isinstance(hasty.exception(10), DeadlineExceeded)
    server.let(ALL)
    assert patient.result(10)[0].label == "patient"
    assert not any("hasty" in call for call in server.calls)


def test_a_fault_in_sending_leaves_nobody_waiting(server: Server, callers: Callers) -> None:
    def fault(texts: Sequence[str]) -> DiscernError | None:
        if len(texts) > 1:
            raise MemoryError
        return None

    server.error = fault
    leader, other = callers.queue(["leads"], ["follows"])
    server.let(1)
    server.wait_for_calls(MOST_CALLS + 1)
    server.let(ALL)
    assert isinstance(leader.exception(10), MemoryError)
    assert other.result(10)[0].label == "follows"


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=60),
    bad=st.sets(st.integers(0, 59)),
    threads=st.integers(1, 24),
)
def test_every_caller_gets_its_own_answers_and_errors_however_calls_meet(
    sizes: list[int], bad: set[int], threads: int
) -> None:
    server = Server(let_through=ALL)
    server.error = lambda texts: (
        InferenceFailed("no") if any(text.endswith("bad") for text in texts) else None
    )
    gatherer = Gatherer(server.send)
    calls = [
        [f"{call}.{item}{'bad' if call in bad else ''}" for item in range(size)]
        for call, size in enumerate(sizes)
    ]
    with ThreadPoolExecutor(threads) as pool:
        found = [pool.submit(gatherer.call, texts, None, time.monotonic() + 60) for texts in calls]
    for index, (texts, call) in enumerate(zip(calls, found, strict=True)):
        if index in bad:
            assert isinstance(call.exception(), InferenceFailed)
        else:
            assert [m.label for m in call.result()] == texts
    assert max(map(len, server.calls)) <= MOST_TEXTS
    assert gatherer._under_way == len(gatherer._queue) == 0
