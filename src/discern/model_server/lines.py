"""Newline-delimited JSON: texts in and moods out, in order, while the stream is still coming."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import orjson

from discern.engine.residents import key_of
from discern.errors import (
    Cancelled,
    DeadlineExceeded,
    DiscernError,
    Draining,
    EmptyInput,
    InferenceFailed,
    InvalidInput,
    Overloaded,
    TooLarge,
    UnsupportedMedia,
)
from discern.model_server.exchange import Message, Request
from discern.model_server.server import Server
from discern.model_server.statuses import outcome_of
from discern.model_server.texts import sentiment_model
from discern.text.contract import MAX_TEXT_CHARS, Sentiment, check_text

NDJSON: Final = b"application/x-ndjson"
MAX_LINE_BYTES: Final = 12 * MAX_TEXT_CHARS + 4096
"""A text in which every character is a pair of \\u escapes, and room for its id."""
GROUP_LINES: Final = 32
GROUPS_UNDER_WAY: Final = 4
LONGEST_PAUSE_S: Final = 0.5
LOOK_S: Final = 0.5
"""A stream that waits for its client sees this soon that the server is stopping."""

_log = logging.getLogger(__name__)

Line = tuple[int, Any, str | DiscernError]
"""Number of the line, the caller's id, and its text or what is wrong with it."""


class LineStream:
    """One streaming request, not compressed.

    Each line is a JSON string or ``{"text": ..., "id": ...}``; each answer carries the line's
    number as ``index`` and its ``id``, and either a mood or an ``error``. A bad line costs only its
    own answer.

    What is read ahead is bounded: a client that sends faster than the model reads is slowed down
    by its own connection. A stream may last as long as its caller waits, but each line must be
    there within ``max_request_s`` of the one before; else an ``error`` ends it, as it does when
    the server stops. Each part is read by the model that is active by then.

    Raises:
        UnsupportedMedia: it is compressed.
    """

    def __init__(self, server: Server, request: Request) -> None:
        if request.headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise UnsupportedMedia("Lines must come uncompressed.", field="body")
        self._server = server
        self._request = request

    async def replies(self) -> AsyncIterator[bytes]:
        """The answers, some lines at a time.

        Raises:
            Cancelled: the client went away.
        """
        groups: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(GROUPS_UNDER_WAY)
        reader = asyncio.create_task(self._read(groups))
        try:
            while (group := await groups.get()) is not None:
                answers = await group
                # One that sent much ahead is not heard of by reading on.
                if self._request.is_gone():
                    raise Cancelled("The client went away.")
                yield answers
            await reader
        finally:
            reader.cancel()
            while not groups.empty():
                if (left := groups.get_nowait()) is not None:
                    left.cancel()
            with suppress(asyncio.CancelledError, DiscernError):
                await reader

    async def _read(self, groups: asyncio.Queue[asyncio.Task[bytes] | None]) -> None:
        try:
            async for lines in self._groups():
                answers = asyncio.create_task(self._answer(lines))
                try:
                    await groups.put(answers)
                except asyncio.CancelledError:
                    answers.cancel()
                    raise
        finally:
            with suppress(asyncio.CancelledError):
                await groups.put(None)

    async def _groups(self) -> AsyncIterator[list[Line]]:
        number, rest, more = 0, b"", True
        due = self._due()
        while more:
            try:
                message = await self._piece(due)
            except (DeadlineExceeded, Draining) as error:
                yield [(number, None, error)]
                return
            more = message.get("more_body", False)
            *whole, rest = (rest + message.get("body", b"")).split(b"\n")
            if not more:
                whole, rest = [*whole, rest], b""
            for start in range(0, len(whole), GROUP_LINES):
                part = [line for line in whole[start : start + GROUP_LINES] if line.strip()]
                if part:
                    yield [(number + index, *read_line(line)) for index, line in enumerate(part)]
                number += len(part)
            if whole:
                due = self._due()
            if len(rest) > MAX_LINE_BYTES:
                yield [(number, None, _line_too_long())]
                return

    async def _piece(self, due: float) -> Message:
        while True:
            if self._server.draining:
                raise Draining("The server is stopping.", retry_after_s=1.0)
            try:
                return await self._request.piece(min(due, time.monotonic() + LOOK_S))
            except DeadlineExceeded:
                if time.monotonic() >= due:
                    raise

    def _due(self) -> float:
        own = time.monotonic() + self._server.settings.max_request_s
        return min(own, self._request.patience_ends)

    async def _answer(self, lines: Sequence[Line]) -> bytes:
        good = [(number, text) for number, _, text in lines if isinstance(text, str)]
        moods: dict[int, Sentiment | DiscernError] = {}
        if good:
            answers = await self._moods([text for _, text in good])
            moods = {number: mood for (number, _), mood in zip(good, answers, strict=True)}
        written = []
        for number, name, text in lines:
            answer = moods[number] if isinstance(text, str) else text
            written.append(orjson.dumps(self._line(number, name, answer)))
        return b"\n".join(written) + b"\n"

    async def _moods(self, texts: list[str]) -> Sequence[Sentiment | DiscernError]:
        try:
            return await self._when_there_is_room(texts)
        except Exception as error:
            if isinstance(error, DiscernError) and not isinstance(error, InferenceFailed):
                return [error] * len(texts)
            if len(texts) > 1:
                return [mood for text in texts for mood in await self._moods([text])]
            if isinstance(error, DiscernError):
                return [error]
            _log.error("a line failed", exc_info=error)
            return [DiscernError("The server failed on this line.")]

    async def _when_there_is_room(self, texts: list[str]) -> list[Sentiment]:
        # A stream is slowed down where single requests are refused.
        started, deadline = time.monotonic(), self._due()
        while True:
            # Anew each time: a stream may last longer than its first model.
            loaded = sentiment_model(self._server, None)
            metrics = self._server.metrics.model(*key_of(loaded.bundle))
            try:
                moods = await self._server.carry(
                    loaded.steps(texts, deadline),
                    None,
                    deadline=deadline,
                    chars=sum(map(len, texts)),
                    begun=metrics.tokenize.observe,
                )
            except Overloaded as error:
                pause = min(error.retry_after_s or LONGEST_PAUSE_S, LONGEST_PAUSE_S)
                if time.monotonic() + pause > deadline:
                    metrics.request(ok=False, seconds=time.monotonic() - started)
                    raise DeadlineExceeded("The server stayed too busy.") from error
            except BaseException:
                metrics.request(ok=False, seconds=time.monotonic() - started)
                raise
            else:
                metrics.request(ok=True, seconds=time.monotonic() - started)
                return moods
            await asyncio.sleep(pause)

    def _line(self, number: int, name: Any, answer: Sentiment | DiscernError) -> dict[str, Any]:
        line: dict[str, Any] = {"index": number}
        if name is not None:
            line["id"] = name
        outcome = outcome_of(answer) if isinstance(answer, DiscernError) else "ok"
        self._server.metrics.ended("analyze_line", outcome)
        if isinstance(answer, DiscernError):
            line["error"] = answer.to_dict()
            return line
        line |= {"label": answer.label, "score": answer.score, "scores": answer.scores}
        model = {"name": answer.model_name, "version": answer.model_version}
        line |= {"windows": answer.windows, "tokens": answer.tokens, "model": model}
        return line


def read_line(line: bytes) -> tuple[Any, str | DiscernError]:
    """A line's id and its text, or what is wrong with it."""
    try:
        if len(line) > MAX_LINE_BYTES:
            raise _line_too_long()
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return None, InvalidInput(f"The line is not JSON: {error}.")
    except DiscernError as error:
        return None, error
    name = value.get("id") if isinstance(value, Mapping) else None
    if not _can_be_written(name):
        return None, InvalidInput("'id' is nested too deeply to be repeated.", field="id")
    try:
        return name, check_text(_text_of(value) if isinstance(value, Mapping) else value)
    except DiscernError as error:
        return name, error


def _can_be_written(name: Any) -> bool:
    # What can be read is nested up to four times as deep as what can be written.
    if not isinstance(name, list | dict):
        return True
    try:
        orjson.dumps({"id": name})
    except TypeError:
        return False
    return True


def _text_of(value: Mapping[str, Any]) -> Any:
    unknown = value.keys() - {"text", "id"}
    if unknown:
        field = min(unknown)
        raise InvalidInput(f"'{field}' is not a field of a line.", field=field)
    if "text" not in value:
        raise EmptyInput("'text' is missing.", field="text")
    return value["text"]


def _line_too_long() -> TooLarge:
    return TooLarge(f"A line is longer than {MAX_LINE_BYTES:,} bytes.", limit=MAX_LINE_BYTES)
