"""What a person would like next. The history comes with the request; nobody's is kept here."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from discern.errors import InvalidInput
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, json_reply
from discern.model_server.server import Server
from discern.recommendations.contract import RecommendationList, check_id
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
        lambda left: server.engine.similar_contents(
            content, n=n, filters=filters, model=model, deadline_s=left
        ),
    )


async def _answer(
    server: Server, request: Request, work: Callable[[float], RecommendationList]
) -> Reply:
    result = await server.carry(
        _steps(lambda: work(max(request.deadline - time.monotonic(), 0.0))),
        request.receive,
        deadline=request.deadline,
        chars=0,
    )
    metrics = server.metrics.model(result.model_name, result.model_version)
    metrics.request(ok=True, seconds=time.monotonic() - request.started)
    return json_reply(list_to_dict(result))


def _steps(
    work: Callable[[], RecommendationList],
) -> Generator[Future[Any], None, RecommendationList]:
    future = _pool.submit(work)
    try:
        yield future
        return future.result()
    finally:
        future.cancel()


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
