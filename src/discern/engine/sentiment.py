"""A loaded sentiment model: one bundle's analyzer on its batching encoder."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from discern.catalog.manifest import Bundle
from discern.engine.options import EngineOptions
from discern.errors import (
    BundleInvalid,
    Cancelled,
    DeadlineExceeded,
    DiscernError,
    InferenceFailed,
)
from discern.inference.contract import BatcherStats
from discern.inference.encoder import EncoderRunner, Logits
from discern.text.analyze import Pending, SentimentAnalyzer
from discern.text.contract import Sentiment, check_texts
from discern.text.tokenize import Windows

MODEL_FILE: Final = "model.onnx"
CANARY: Final = "The canary sings, so the model is well."
SLICE_TEXTS: Final = 32
SLICE_CHARS: Final = 20_000
GRACE_S: Final = 0.1
DRAIN_S: Final = 30.0
WINDOWS_AT_ONCE: Final = 8
MAX_TOKENS_UNDER_WAY: Final = 2_048
"""Tokens one call may have in the queue, so that a call of a thousand texts, or one book of a text,
leaves room for others: an eighth of a second of work on two processors."""

Steps = Generator[Future[Any], None, list[Sentiment]]
"""Yields each future that must be done before going on; returns the answer."""


class LoadedSentiment:
    """Answers for one bundle until closed.

    Raises:
        BundleInvalid: the bundle's files do not fit each other.
    """

    def __init__(self, bundle: Bundle, options: EngineOptions) -> None:
        manifest = bundle.manifest
        if manifest.format != "onnx":
            raise BundleInvalid(
                f"{manifest.name} has the format '{manifest.format}', not 'onnx'.", field="format"
            )
        observe = options.observe
        self.bundle = bundle
        self._calls = 0
        self._idle = threading.Condition()
        self.runner = EncoderRunner(
            bundle.path(MODEL_FILE),
            sessions=options.sessions,
            threads=options.threads,
            provider=options.provider,
            limits=options.limits,
            observe=observe and partial(observe, manifest.name, manifest.version),
        )
        try:
            self.analyzer = SentimentAnalyzer(bundle, self.runner)
        except BaseException:
            self.runner.close()
            raise

    def analyze(self, texts: Sequence[str], deadline: float | None = None) -> list[Sentiment]:
        """The mood of each text, in order; ``deadline`` is a :func:`time.monotonic` instant.

        Raises:
            InvalidInput, EmptyInput, TooLarge: as :func:`discern.text.contract.check_texts`.
            Overloaded, Draining, DeadlineExceeded, InferenceFailed: from the runner. What is
                still queued for this call is dropped.
        """
        steps = self.steps(check_texts(texts), deadline)
        try:
            while True:
                wait_for(next(steps), deadline)
        except StopIteration as stop:
            answers: list[Sentiment] = stop.value
            return answers
        finally:
            steps.close()

    def steps(self, texts: Sequence[str], deadline: float | None = None) -> Steps:
        """The same, for any way of waiting: ``texts`` must have been checked. Closing the
        generator drops what has not begun."""
        under_way: deque[Pending] = deque()
        queued = _Queued()
        answers: list[Sentiment] = []
        self._count_call(1)
        try:
            for part in slices(texts):
                for windows in self.analyzer.windows(part):
                    admitted = bool(answers or under_way)
                    under_way.append(Pending(windows, ()))
                    yield from self._submit(under_way, queued, deadline, admitted=admitted)
                    while len(under_way) > 1 and _done(under_way[0]):
                        answers.append(self._finish(under_way.popleft(), len(answers)))
            while under_way:
                yield from under_way[0].futures
                answers.append(self._finish(under_way.popleft(), len(answers)))
            return answers
        finally:
            for pending in under_way:
                pending.cancel()
            self._count_call(-1)

    def _submit(
        self, under_way: deque[Pending], queued: _Queued, deadline: float | None, *, admitted: bool
    ) -> Generator[Future[Any], None, None]:
        """Queues the windows of the last text; yields what must be done first to make room."""
        windows = under_way[-1].windows
        futures: tuple[Future[Any], ...] = ()
        for start in range(0, len(windows.ids), WINDOWS_AT_ONCE):
            rows = windows.ids[start : start + WINDOWS_AT_ONCE]
            tokens = sum(map(len, rows))
            while queued.parts and queued.tokens + tokens > MAX_TOKENS_UNDER_WAY:
                yield queued.oldest()
            new = self.runner.submit_many(rows, deadline, admitted=admitted or bool(futures))
            queued.add(new, tokens)
            futures += tuple(new)
            under_way[-1] = Pending(windows, futures)

    def ask(self, text: str, deadline: float | None, told: Callable[[], None]) -> Question | None:
        """Queues one checked text that fits into one window, without a future: what most calls
        are, at a fraction of the cost of :meth:`steps`.

        Args:
            told: called on a worker's thread once :meth:`Question.mood` has something to say.

        Returns:
            None where it was not taken, whatever the reason; :meth:`steps` will tell it.
        """
        [windows] = self.analyzer.windows([text])
        if len(windows.ids) != 1:
            return None
        question = Question(self, windows, told)
        self._count_call(1)
        drop = self.runner.try_submit(windows.ids[0], deadline, question.settle)
        if drop is None:
            self._count_call(-1)
            return None
        question.drop = drop
        return question

    def canary(self, deadline: float | None = None) -> None:
        """Runs a real inference through the queue and looks at its answer.

        Raises:
            InferenceFailed: the answer is not a probability for each label.
            DiscernError: whatever the inference raised.
        """
        [mood] = self.analyze([CANARY], deadline)
        if not math.isclose(sum(mood.scores.values()), 1, abs_tol=1e-3):
            raise InferenceFailed("The canary's scores are not probabilities.")

    def stats(self) -> BatcherStats:
        """What has been run so far and what waits; costs are tokens."""
        return self.runner.stats()

    def close(self, *, drain: bool = False) -> None:
        """Stops the runner; with ``drain`` the calls under way are carried through first, and
        those that had just found this model begin."""
        if drain:
            time.sleep(GRACE_S)
            with self._idle:
                self._idle.wait_for(lambda: self._calls == 0, DRAIN_S)
        self.runner.close(drain=drain)

    def _count_call(self, change: int) -> None:
        with self._idle:
            self._calls += change
            if not self._calls:
                self._idle.notify_all()

    def _finish(self, pending: Pending, index: int) -> Sentiment:
        try:
            return self.analyzer.finish(pending)
        except InferenceFailed as error:
            error.field = f"texts[{index}]"
            raise
        except CancelledError:
            raise Cancelled("The request was cancelled.") from None


class Question:
    """One text on its way; :meth:`close` must be called, by the thread that asked."""

    __slots__ = ("_loaded", "_told", "_windows", "drop", "outcome")

    def __init__(self, loaded: LoadedSentiment, windows: Windows, told: Callable[[], None]) -> None:
        self._loaded = loaded
        self._windows = windows
        self._told = told
        self.drop: Callable[[], None] | None = None
        self.outcome: Logits | DiscernError | None = None

    def settle(self, outcome: Logits | DiscernError) -> None:
        """Takes the outcome, on a worker's thread."""
        self.outcome = outcome
        self._told()

    def mood(self) -> Sentiment:
        """The answer, once there is one.

        Raises:
            DiscernError: as :meth:`LoadedSentiment.analyze`.
        """
        outcome = self.outcome
        if isinstance(outcome, InferenceFailed):
            outcome.field = "texts[0]"
        if isinstance(outcome, DiscernError):
            raise outcome
        if outcome is None:
            raise InferenceFailed("The model has not answered yet.")
        return self._loaded.analyzer.label(self._windows, [outcome])

    def close(self) -> None:
        """Drops what has not begun."""
        if self.outcome is None and self.drop is not None:
            self.drop()
        self.drop = None  # which knows the item that knows this question
        self._loaded._count_call(-1)


@dataclass(slots=True)
class _Queued:
    """What one call has submitted and not yet waited for, by parts of like age."""

    parts: deque[tuple[Future[Any], int]] = field(default_factory=deque)
    tokens: int = 0

    def add(self, futures: Sequence[Future[Any]], tokens: int) -> None:
        self.tokens += tokens
        self.parts.append((futures[-1], tokens))

    def oldest(self) -> Future[Any]:
        future, tokens = self.parts.popleft()
        self.tokens -= tokens
        return future


def _done(pending: Pending) -> bool:
    return all(future.done() for future in pending.futures)


def slices(texts: Sequence[str]) -> Iterator[list[str]]:
    """Cuts a call into parts of at most 32 texts and, but for one long text, 20,000 characters:
    what is worth tokenizing in one go."""
    part: list[str] = []
    chars = 0
    for text in texts:
        if part and (len(part) == SLICE_TEXTS or chars + len(text) > SLICE_CHARS):
            yield part
            part, chars = [], 0
        part.append(text)
        chars += len(text)
    if part:
        yield part


def wait_for(future: Future[Any], deadline: float | None) -> None:
    """Blocks until the future is done, whatever its outcome.

    Raises:
        DeadlineExceeded: it is not done by the deadline.
    """
    timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
    try:
        future.exception(timeout)
    except FutureTimeoutError:
        raise DeadlineExceeded("The time for this request ran out.") from None
    except CancelledError:
        return
