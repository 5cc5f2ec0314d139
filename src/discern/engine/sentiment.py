"""A loaded sentiment model: one bundle's analyzer on its batching encoder."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any, Final

from discern.catalog.manifest import Bundle
from discern.engine.options import EngineOptions
from discern.errors import BundleInvalid, Cancelled, DeadlineExceeded, InferenceFailed
from discern.inference.contract import BatcherStats
from discern.inference.encoder import EncoderRunner
from discern.text.analyze import Pending, SentimentAnalyzer
from discern.text.contract import Sentiment, check_texts

MODEL_FILE: Final = "model.onnx"
CANARY: Final = "The canary sings, so the model is well."
SLICE_TEXTS: Final = 32
SLICE_CHARS: Final = 20_000
GRACE_S: Final = 0.1
DRAIN_S: Final = 30.0
MAX_WINDOWS_UNDER_WAY: Final = 128
"""Windows one call may have in the queue, so that a call of a thousand long texts leaves room for
others' short ones."""

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
        answers: list[Sentiment] = []
        windows_under_way = 0
        self._count_call(1)
        try:
            for part in slices(texts):
                for windows in self.analyzer.windows(part):
                    admitted = bool(answers or under_way)
                    futures = self.runner.submit_many(windows.ids, deadline, admitted=admitted)
                    under_way.append(Pending(windows, tuple(futures)))
                    windows_under_way += len(futures)
                    while windows_under_way > MAX_WINDOWS_UNDER_WAY:
                        windows_under_way -= len(under_way[0].futures)
                        yield from under_way[0].futures
                        answers.append(self._finish(under_way.popleft(), len(answers)))
            while under_way:
                yield from under_way[0].futures
                answers.append(self._finish(under_way.popleft(), len(answers)))
            return answers
        finally:
            for pending in under_way:
                pending.cancel()
            self._count_call(-1)

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
