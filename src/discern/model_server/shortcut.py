"""The short way of one text in and one mood out: from bytes to the batcher and back by callbacks.

Most requests are alike, and for a short text a task, a scope and a dozen messages for each cost a
fifth of what the network does. What is not plain takes the long way from its first byte, as if
there were no other: so this one holds no rule of its own about what is right, and no error but
those of the batcher.

At ten times what a model can do, nine requests of ten are refused. If each cost as much to read as
an accepted one, refusing would take the processors from answering, and everyone would wait for it;
so where the queue is full, one refusal is written for all that come within a moment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import orjson

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.sentiment import LoadedSentiment, Question
from discern.engine.wire import sentiment_to_wire
from discern.errors import Cancelled, DeadlineExceeded, DiscernError, Overloaded
from discern.model_server.arrivals import Arrivals
from discern.model_server.deadlines import Deadlines
from discern.model_server.door import outcome_and_reply
from discern.model_server.exchange import Reply, error_reply, json_reply, response
from discern.model_server.heads import Head, Heads
from discern.model_server.metrics import ModelMetrics
from discern.model_server.server import Server
from discern.model_server.statuses import outcome_of
from discern.text.contract import check_text

PATH: Final = "/v1/analyze"
ENDPOINT: Final = "analyze"
MOST_CHARS: Final = 1_000
"""A longer text may need several windows, and costs the network so much that the way is nothing."""
SAME_REFUSAL_S: Final = 0.02


class Caller(Protocol):
    """The connection that a request came on."""

    def reply(self, data: bytes, *, keep: bool) -> None:
        """Sends a whole answer and goes on to the next request, or ends with it."""
        ...

    def fixed_headers(self) -> Sequence[tuple[bytes, bytes]]:
        """Those of every answer."""
        ...


class Shortcut:
    """The short way through one process; everything but the workers' calls on the loop's thread.

    Args:
        server: the state it shares with the endpoints.
        loop: the one that the connections live on.
    """

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.heads = Heads()
        self.answered: Arrivals[Errand] = Arrivals(loop, Errand.finish)
        self.deadlines: Deadlines[Errand] = Deadlines(loop, Errand.expire)
        self._no_place = _Refusal(server)
        self._no_room = _Refusal(server)

    def take(self, caller: Caller, data: bytes) -> Errand | bool:
        """``data`` is what arrived at once, at the beginning of a request.

        Returns:
            the request on its way, True where it was refused, False where it must take the long
            way.
        """
        server = self.server
        found = self.heads.split(data)
        if found is None or server.draining:
            return False
        head, start = found
        loaded = server.engine.residents.peek(SENTIMENT_TASK)
        if (
            not isinstance(loaded, LoadedSentiment)
            or head.length > server.settings.max_body_bytes
            or not server.knows(head.authorization)
        ):
            return False
        now = time.monotonic()
        if not server.has_place():
            return self._no_place.send(caller, server.check_place, now)
        if not loaded.runner.has_room():
            # Another model's queue may have room.
            return b'"model"' not in data and self._no_room.send(
                caller, loaded.runner.check_room, now, again=loaded.runner.turned_away
            )
        text = _text_in(data[start:])
        return text is not None and self._begin(caller, head, loaded, text, now)

    def _begin(
        self, caller: Caller, head: Head, loaded: LoadedSentiment, text: str, now: float
    ) -> Errand | bool:
        server = self.server
        deadline = now + min(head.patience_s, server.settings.max_request_s)
        manifest = loaded.bundle.manifest
        metrics = server.metrics.model(manifest.name, manifest.version)
        errand = Errand(self, caller, metrics, now)
        try:
            question = loaded.ask(text, deadline, errand.told)
        except Exception:  # as from a tokenizer; the long way logs it and says so
            return False
        if question is None:
            return False
        errand.question = question
        metrics.tokenize.observe(time.monotonic() - now)
        server.entered(guarded=True)
        self.deadlines.add(errand, deadline)
        return errand


class _Refusal:
    """The same answer for all that are refused within a moment."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = b""
        self._until = 0.0
        self._outcome = ""

    def send(
        self,
        caller: Caller,
        check: Callable[[], None],
        now: float,
        again: Callable[[], None] = lambda: None,
    ) -> bool:
        """Refuses, unless ``check`` no longer raises; ``again`` counts where it is not asked."""
        if now < self._until:
            again()
        else:
            try:
                check()
            except Overloaded as error:
                self._data = response(error_reply(error), caller.fixed_headers())
                self._outcome, self._until = outcome_of(error), now + SAME_REFUSAL_S
            else:
                return False
        self._server.metrics.ended(ENDPOINT, self._outcome)
        caller.reply(self._data, keep=True)
        return True


class Errand:
    """One request on the short way."""

    __slots__ = ("_caller", "_ended", "_metrics", "_shortcut", "_started", "keep", "question")

    def __init__(
        self, shortcut: Shortcut, caller: Caller, metrics: ModelMetrics, started: float
    ) -> None:
        self._shortcut = shortcut
        self._caller = caller
        self._metrics = metrics
        self._started = started
        self._ended = False
        self.keep = True
        self.question: Question | None = None

    def told(self) -> None:
        """Called on a worker's thread."""
        self._shortcut.answered.put(self)

    def finish(self) -> None:
        """Answers, unless that was given up before."""
        if self._ended or self.question is None:
            return
        try:
            reply = json_reply(sentiment_to_wire([self.question.mood()]))
        except Exception as error:
            self._fail(error)
        else:
            self._end("ok", reply)

    def expire(self) -> None:
        """Answers that the time ran out."""
        self._fail(DeadlineExceeded("The time for this request ran out."))

    def forsake(self) -> None:
        """Drops the request: its caller went away."""
        if not self._ended:
            self._fail(Cancelled("The client went away."))

    def _fail(self, error: Exception) -> None:
        self._end(*outcome_and_reply(error, error_reply, PATH))

    def _end(self, outcome: str, reply: Reply | None) -> None:
        self._ended = True
        server = self._shortcut.server
        self._shortcut.deadlines.discard(self)
        if self.question is not None:
            self.question.close()
            self.question = None  # which knows whom to tell
        self._metrics.request(ok=outcome == "ok", seconds=time.monotonic() - self._started)
        server.left(guarded=True)
        server.metrics.ended(ENDPOINT, outcome)
        if reply is not None:
            keep = self.keep and (b"connection", b"close") not in reply.headers
            if not self.keep:
                reply.headers.append((b"connection", b"close"))
            self._caller.reply(response(reply, self._caller.fixed_headers()), keep=keep)


def _text_in(body: bytes) -> str | None:
    """The one text in a body, None where it holds anything else."""
    try:
        value = orjson.loads(body)
        if type(value) is not dict or value.keys() != {"text"} or len(value["text"]) > MOST_CHARS:
            return None
        return check_text(value["text"])
    except (orjson.JSONDecodeError, TypeError, DiscernError):
        return None
