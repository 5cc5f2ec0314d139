"""What is in a picture: its objects and its text. The request's body is the picture's file."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import parse_qs

from discern.errors import InvalidInput
from discern.model_server.calls import call
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, json_reply
from discern.model_server.server import Server
from discern.vision.contract import DEFAULT_THRESHOLD, DETECTION_TASK

THREADS: Final = 16
"""Callers that may be under way; the engine lets only as many compute as there are processors."""

_pool: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="pictures")


async def detect_objects(server: Server, request: Request) -> Reply:
    """The body is a picture; ``?threshold=0.3&model=name`` may follow the path."""
    query = _query(request, "threshold", "model")
    threshold = _number(query.get("threshold"))
    model = query.get("model")
    image = await request.body()
    result = await call(
        server,
        request,
        _pool,
        lambda left: server.engine.detect_objects(
            image, model=model, threshold=threshold, deadline_s=left
        ),
        lambda: server.engine.residents.peek_key(DETECTION_TASK, model),
    )
    return json_reply(result.to_dict())


async def read_text(server: Server, request: Request) -> Reply:
    """The body is a picture; ``?model=name`` may follow the path."""
    model = _query(request, "model").get("model")
    image = await request.body()
    result = await call(
        server,
        request,
        _pool,
        lambda left: server.engine.read_text(image, model=model, deadline_s=left),
        lambda: server.engine.reader_key(model),
    )
    return json_reply(result.to_dict())


def _query(request: Request, *known: str) -> dict[str, str]:
    given = parse_qs(request.scope.get("query_string", b"").decode("latin-1"))
    for name in given:
        if name not in known:
            raise InvalidInput(f"'{name}' is not a parameter of this request.", field=name)
    return {name: values[-1] for name, values in given.items()}


def _number(value: str | None) -> float:
    if value is None:
        return DEFAULT_THRESHOLD
    try:
        return float(value)
    except ValueError:
        raise InvalidInput("'threshold' must be a number.", field="threshold") from None


ENDPOINTS: Final = (
    Endpoint("/v1/detect-objects", {"POST": detect_objects}, name="detect-objects"),
    Endpoint("/v1/read-text", {"POST": read_text}, name="read-text"),
)
