"""What a person would like next. The history comes with the request; nobody's is kept here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from discern.errors import InvalidInput
from discern.model_server.calls import call
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, json_reply
from discern.model_server.server import Server
from discern.recommendations.contract import TASK, RecommendationList, check_id
from discern.recommendations.wire import filters_from_dict, list_to_dict, request_from_dict

THREADS: Final = 8

_pool: Final = ThreadPoolExecutor(THREADS, thread_name_prefix="recommendations")


async def recommend(server: Server, request: Request) -> Reply:
    """``{"request": {"history": [...], "n": 10, ...}, "model": "name"}``."""
    body = _object(await request.json(), {"request", "model"})
    wanted = request_from_dict(_object(body.get("request", {}), None))
    model = _model(body)
    return await _answer(
        server,
        request,
        model,
        lambda left: server.engine.recommend(wanted, model=model, deadline_s=left),
    )


async def similar(server: Server, request: Request) -> Reply:
    """``{"content": "42", "n": 10, "filters": {...}, "model": "name"}``."""
    body = _object(await request.json(), {"content", "n", "filters", "model"})
    content = check_id(body.get("content"), field="content")
    n = body.get("n", 10)
    if isinstance(n, bool) or not isinstance(n, int):
        raise InvalidInput("'n' must be a whole number.", field="n")
    filters = filters_from_dict(body.get("filters") or {})
    model = _model(body)
    return await _answer(
        server,
        request,
        model,
        lambda left: server.engine.similar_contents(
            content, n=n, filters=filters, model=model, deadline_s=left
        ),
    )


async def _answer(
    server: Server,
    request: Request,
    model: str | None,
    work: Callable[[float], RecommendationList],
) -> Reply:
    residents = server.engine.residents
    result = await call(server, request, _pool, work, lambda: residents.peek_key(TASK, model))
    return json_reply(list_to_dict(result))


def _object(value: Any, known: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput("The body and its 'request' must be JSON objects.", field="body")
    for name in value:
        if known is not None and name not in known:
            raise InvalidInput(f"'{name}' is not a field of this request.", field=name)
    return value


def _model(body: Mapping[str, Any]) -> str | None:
    model = body.get("model")
    if model is not None and not isinstance(model, str):
        raise InvalidInput("'model' must be a string.", field="model")
    return model


ENDPOINTS: Final = (
    Endpoint("/v1/recommend", {"POST": recommend}, name="recommend"),
    Endpoint("/v1/similar", {"POST": similar}, name="similar"),
)
