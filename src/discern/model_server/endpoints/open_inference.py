"""The Open Inference Protocol over HTTP, with its binary tensor data and statistics extensions."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from discern import __version__
from discern.engine.residents import Loaded, key_of
from discern.errors import DiscernError, ModelNotFound, ModelNotReady
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, error_headers, json_reply, retry_after
from discern.model_server.open_inference.adapters import adapter_of
from discern.model_server.open_inference.messages import (
    HEADER_LENGTH,
    check_outputs,
    read_request,
    write_response,
)
from discern.model_server.server import Server
from discern.model_server.statuses import status_of

EXTENSIONS: Final = ("binary_tensor_data", "statistics")


def protocol_error(error: DiscernError) -> Reply:
    """``{"error": message}``, as the protocol has it."""
    reply = json_reply({"error": error.message}, status_of(error))
    reply.headers = error_headers(error)
    return reply


async def live(server: Server, request: Request) -> Reply:
    """``$live_server_response``."""
    return json_reply({"live": True})


async def ready(server: Server, request: Request) -> Reply:
    """``$ready_server_response``; its text calls the field ``live`` where other versions say
    ``ready``, so both are there."""
    is_ready = await server.is_ready()
    return _readiness({"ready": is_ready, "live": is_ready}, is_ready=is_ready)


async def server_metadata(server: Server, request: Request) -> Reply:
    """``$metadata_server_response``."""
    extensions = [*EXTENSIONS, *(["model_repository"] if server.settings.repository else [])]
    return json_reply({"name": "discern", "version": __version__, "extensions": extensions})


async def model_metadata(server: Server, request: Request) -> Reply:
    """``$metadata_model_response``."""
    loaded = await named_model(server, request)
    manifest = loaded.bundle.manifest
    adapter = adapter_of(loaded)
    versions = [
        version
        for name, version in map(_key, server.engine.residents.loaded())
        if name == manifest.name
    ]
    return json_reply(
        {
            "name": manifest.name,
            "versions": versions,
            "platform": f"discern_{manifest.format}",
            "inputs": [spec.to_json() for spec in adapter.inputs(loaded)],
            "outputs": [spec.to_json() for spec in adapter.outputs(loaded)],
        }
    )


async def model_ready(server: Server, request: Request) -> Reply:
    """``$ready_model_response``: true once a real inference has passed."""
    name = request.path_params["name"]
    try:
        is_ready = await server.is_well(await named_model(server, request))
    except ModelNotReady:
        is_ready = False
    return _readiness({"name": name, "ready": is_ready}, is_ready=is_ready)


async def infer(server: Server, request: Request) -> Reply:
    """``$inference_request`` in, ``$inference_response`` out."""
    body = await request.body()
    loaded = await named_model(server, request)
    adapter = adapter_of(loaded)
    message = read_request(body, request.headers.get(HEADER_LENGTH), adapter.inputs(loaded))
    check_outputs(message, adapter.outputs(loaded))
    if message.timeout_s is not None:
        request.deadline = min(request.deadline, request.started + message.timeout_s)
    outputs = await adapter.infer(server, request, loaded, message.inputs)
    return write_response(message, *key_of(loaded.bundle), outputs)


async def statistics(server: Server, request: Request) -> Reply:
    """``$stats_model_response`` of the loaded models, counted by this process."""
    wanted = [await named_model(server, request)] if "name" in request.path_params else None
    models = wanted or server.engine.residents.loaded()
    return json_reply(
        {"model_stats": [server.metrics.model(*_key(loaded)).totals.to_json() for loaded in models]}
    )


async def named_model(server: Server, request: Request) -> Loaded:
    """The loaded model that the path names.

    Raises:
        ModelNotReady: known, but not loaded.
        ModelNotFound: not known.
    """
    name, version = request.path_params["name"], request.path_params.get("version")
    loaded = server.engine.residents.peek_any(name, version)
    if loaded is not None:
        return loaded
    for info in await asyncio.to_thread(server.engine.models):
        if info.name == name and version in (None, info.version):
            raise ModelNotReady(f"The model '{name}' is {info.state}.", field="model")
    wanted = name if version is None else f"{name} {version}"
    raise ModelNotFound(f"There is no model '{wanted}' here.", field="model")


def _readiness(value: dict[str, Any], *, is_ready: bool) -> Reply:
    reply = json_reply(value, 200 if is_ready else 503)
    if not is_ready:
        reply.headers.append(retry_after())
    return reply


def _key(loaded: Loaded) -> tuple[str, str]:
    return key_of(loaded.bundle)


_MODEL: Final = ("/v2/models/{name}/versions/{version}", "/v2/models/{name}")

ENDPOINTS: Final = (
    *(
        Endpoint(f"{model}/infer", {"POST": infer}, name="infer", write_error=protocol_error)
        for model in _MODEL
    ),
    *(
        Endpoint(
            f"{model}/ready",
            {"GET": model_ready, "HEAD": model_ready},
            guarded=False,
            asks_token=False,
            write_error=protocol_error,
        )
        for model in _MODEL
    ),
    Endpoint("/v2/models/stats", {"GET": statistics}, write_error=protocol_error),
    *(
        Endpoint(f"{model}/stats", {"GET": statistics}, write_error=protocol_error)
        for model in _MODEL
    ),
    *(Endpoint(model, {"GET": model_metadata}, write_error=protocol_error) for model in _MODEL),
    Endpoint(
        "/v2/health/live",
        {"GET": live, "HEAD": live},
        guarded=False,
        asks_token=False,
        write_error=protocol_error,
    ),
    Endpoint(
        "/v2/health/ready",
        {"GET": ready, "HEAD": ready},
        guarded=False,
        asks_token=False,
        write_error=protocol_error,
    ),
    Endpoint("/v2", {"GET": server_metadata}, write_error=protocol_error),
    Endpoint("/v2/", {"GET": server_metadata}, write_error=protocol_error),
)
