"""The mood of texts, in one JSON body or as a stream of lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from discern.engine.wire import sentiment_to_wire
from discern.errors import EmptyInput, InvalidInput
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, StreamReply, json_reply
from discern.model_server.lines import NDJSON, LineStream
from discern.model_server.server import Server
from discern.model_server.texts import analyze_texts, sentiment_model
from discern.text.contract import check_text, check_texts


async def analyze(server: Server, request: Request) -> Reply | StreamReply:
    """``{"text": ...}`` or ``{"texts": [...]}``, with ``"model"`` if not the active one; or one
    text on each line, where the content type is application/x-ndjson."""
    if request.headers.get(b"content-type", b"").lower().startswith(NDJSON):
        sentiment_model(server, None)
        return StreamReply(LineStream(server, request).replies(), NDJSON)
    texts, model = read_body(await request.json())
    loaded = sentiment_model(server, model)
    return json_reply(sentiment_to_wire(await analyze_texts(server, request, loaded, texts)))


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
