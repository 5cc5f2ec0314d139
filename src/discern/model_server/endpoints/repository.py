"""The protocol's model repository extension: index, load, unload. Off unless a setting opens it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from discern.errors import InvalidInput, NotFound
from discern.model_server.door import Endpoint
from discern.model_server.endpoints.open_inference import protocol_error
from discern.model_server.exchange import Reply, Request, json_reply, parse_json
from discern.model_server.server import Server

_OF_BROWSERS: Final = frozenset({b"origin", b"sec-fetch-site"})
"""A page cannot leave them out of a POST, and next to no other client has them."""
STATES: Final = {
    "ready": "READY",
    "loading": "LOADING",
    "failed": "UNAVAILABLE",
    "available": "UNAVAILABLE",
}


class FromPage(InvalidInput):
    """A web page asks, which whoever looks at it did not."""

    code = "forbidden"


async def index(server: Server, request: Request) -> Reply:
    """Every model of the repository, or with ``{"ready": true}`` those that answer."""
    body = await _options(server, request)
    infos = await asyncio.to_thread(server.engine.models)
    return json_reply(
        [
            {
                "name": info.name,
                "version": info.version,
                "state": STATES[info.state],
                "reason": info.reason or ("" if info.state in ("ready", "loading") else "unloaded"),
            }
            for info in infos
            if info.state == "ready" or not body.get("ready")
        ]
    )


async def load(server: Server, request: Request) -> Reply:
    """Loads the newest version, or the one that the parameter ``version`` names. It takes over
    from an older one; if it fails, the older one goes on."""
    parameters = _parameters(await _options(server, request), {"version"})
    residents, name = server.engine.residents, request.path_params["name"]
    loaded = await asyncio.to_thread(residents.load, name, parameters.get("version"))
    server.record_load(loaded)
    return json_reply({})


async def unload(server: Server, request: Request) -> Reply:
    """Unloads every version once it has answered what it accepted."""
    _parameters(await _options(server, request), {"unload_dependents"})
    await asyncio.to_thread(server.engine.residents.unload, request.path_params["name"])
    return json_reply({})


async def _options(server: Server, request: Request) -> Mapping[str, Any]:
    if not server.settings.repository:
        raise NotFound(
            "The model repository is closed; DISCERN_MODEL_SERVER_REPOSITORY=true opens it."
        )
    if server.settings.token is None and any(
        name in _OF_BROWSERS for name, _ in request.scope["headers"]
    ):
        raise FromPage("A browser may use the model repository only with a token.")
    data = await request.body()
    body = parse_json(data) if data.strip() else {}
    if not isinstance(body, Mapping):
        raise InvalidInput("The request must be a JSON object.", field="body")
    return body


def _parameters(body: Mapping[str, Any], known: set[str]) -> Mapping[str, Any]:
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, Mapping):
        raise InvalidInput("'parameters' must be an object.", field="parameters")
    for name, value in parameters.items():
        if name not in known:
            raise InvalidInput(f"'{name}' is not a parameter here.", field=name)
        if name == "version" and not isinstance(value, str):
            raise InvalidInput("'version' must be a string.", field=name)
    return parameters


ENDPOINTS: Final = (
    Endpoint("/v2/repository/index", {"POST": index}, write_error=protocol_error),
    Endpoint("/v2/repository/models/{name}/load", {"POST": load}, write_error=protocol_error),
    Endpoint("/v2/repository/models/{name}/unload", {"POST": unload}, write_error=protocol_error),
)
