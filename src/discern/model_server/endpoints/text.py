"""The mood of texts, in one JSON body or as a stream of lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.sentiment import LoadedSentiment
from discern.engine.wire import sentiment_to_wire
from discern.errors import EmptyInput, InvalidInput, ModelNotReady
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, StreamReply, json_reply
from discern.model_server.lines import NDJSON, LineStream
from discern.model_server.server import Server
from discern.text.contract import Sentiment, check_text, check_texts


async def analyze(server: Server, request: Request) -> Reply | StreamReply:
    """``{"text": ...}`` or ``{"texts": [...]}``, with ``"model"`` if not the active one; or one
    text on each line, where the content type is application/x-ndjson."""
    if request.headers.get(b"content-type", b"").startswith(NDJSON):
        loaded = sentiment_model(server, None)
        return StreamReply(LineStream(server, request, loaded).replies(), NDJSON)
    texts, model = read_body(await request.json())
    loaded = sentiment_model(server, model)
    return json_reply(sentiment_to_wire(await analyze_texts(server, request, loaded, texts)))


async def analyze_texts(
    server: Server, request: Request, loaded: LoadedSentiment, texts: list[str]
) -> list[Sentiment]:
    """Runs checked texts through a model, timed."""
    manifest = loaded.bundle.manifest
    metrics = server.metrics.model(manifest.name, manifest.version)
    started = time.monotonic()
    try:
        return await server.carry(
            loaded.steps(texts, request.deadline),
            request.receive,
            deadline=request.deadline,
            chars=sum(map(len, texts)),
            begun=metrics.tokenize.observe,
        )
    finally:
        metrics.prediction.observe(time.monotonic() - started)


def sentiment_model(
    server: Server, name: str | None, version: str | None = None
) -> LoadedSentiment:
    """The loaded sentiment model of that name, or the active one.

    Raises:
        ModelNotReady: it is known, but not loaded.
        ModelNotFound: it is not known.
    """
    loaded = server.engine.residents.peek_or_raise(SENTIMENT_TASK, name, version)
    if not isinstance(loaded, LoadedSentiment):
        raise ModelNotReady(f"'{name}' does not read texts.", field="model")
    return loaded


def read_body(body: Any) -> tuple[list[str], str | None]:
    """The texts and the model's name.

    Raises:
        InvalidInput, EmptyInput, TooLarge: naming the field and the limit.
    """
    if not isinstance(body, Mapping):
        raise InvalidInput('The body must be a JSON object, like {"text": "..."}.', field="body")
    unknown = body.keys() - {"text", "texts", "model"}
    if unknown:
        field = min(unknown)
        raise InvalidInput(f"'{field}' is not a field of this request.", field=field)
    if ("text" in body) == ("texts" in body):
        if "text" in body:
            raise InvalidInput("Give 'text' or 'texts', not both.", field="texts")
        raise EmptyInput("'text' is missing.", field="text")
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise InvalidInput("'model' must be a string.", field="model")
    if "text" in body:
        return [check_text(body["text"])], model
    return check_texts(body["texts"]), model


ENDPOINTS: Final = (Endpoint("/v1/analyze", {"POST": analyze}, name="analyze"),)
