"""Texts through a loaded model, from the event loop, timed and counted."""

from __future__ import annotations

import time

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.residents import Loaded
from discern.engine.sentiment import LoadedSentiment
from discern.errors import ModelNotFound
from discern.model_server.exchange import Request
from discern.model_server.server import Server
from discern.text.contract import Sentiment


async def analyze_texts(
    server: Server, request: Request, loaded: LoadedSentiment, texts: list[str]
) -> list[Sentiment]:
    """Runs checked texts through a model, timed."""
    manifest = loaded.bundle.manifest
    metrics = server.metrics.model(manifest.name, manifest.version)
    # Before tokenizing, so that many refusals leave the processors to what was accepted.
    loaded.runner.check_room()
    started = time.monotonic()
    ok = False
    try:
        moods = await server.carry(
            loaded.steps(texts, request.deadline),
            request.receive,
            deadline=request.deadline,
            chars=sum(map(len, texts)),
            begun=metrics.tokenize.observe,
        )
        ok = True
        return moods
    finally:
        metrics.request(ok=ok, seconds=time.monotonic() - started)


def sentiment_model(
    server: Server, name: str | None, version: str | None = None
) -> LoadedSentiment:
    """The loaded sentiment model of that name, or the active one.

    Raises:
        ModelNotReady: it is known, but not loaded.
        ModelNotFound: it is not known.
    """
    return as_sentiment(server.engine.residents.peek_or_raise(SENTIMENT_TASK, name, version))


def as_sentiment(loaded: Loaded) -> LoadedSentiment:
    """The same model, known to read texts.

    Raises:
        ModelNotFound: it is of another task.
    """
    if not isinstance(loaded, LoadedSentiment):
        raise ModelNotFound(f"'{loaded.bundle.manifest.name}' does not read texts.", field="model")
    return loaded
