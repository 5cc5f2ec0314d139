"""The ASGI application of one server process."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route, Router

from discern.engine.local import LocalEngine
from discern.model_server.door import Door, Endpoint
from discern.model_server.endpoints import ENDPOINTS
from discern.model_server.exchange import Receive, Scope, Send
from discern.model_server.metrics import Metrics
from discern.model_server.server import Server
from discern.model_server.settings import ModelServerSettings, load_settings


class ModelServer:
    """Routes requests to the endpoints; no middleware stands between.

    Args:
        server: the state the endpoints share.
        endpoints: the route table, the busiest paths first.
    """

    def __init__(self, server: Server, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        self.server = server
        server.metrics.know_endpoints({e.name for e in endpoints if e.name is not None})
        doors = [(endpoint.path, Door(endpoint, server)) for endpoint in endpoints]
        # Most requests are for paths without parameters, which need no pattern to be found.
        self._fixed = {path: door for path, door in doors if "{" not in path}
        self._router = Router(
            routes=[Route(path, endpoint=door) for path, door in doors if "{" in path],
            redirect_slashes=False,
            # As the asterisk of OPTIONS, which is no path that a pattern could be for.
            default=dict(doors)["/{path:path}"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "http":
            door = self._fixed.get(scope["path"], self._router)
            await door(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.server.lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(
    settings: ModelServerSettings | None = None, engine: LocalEngine | None = None
) -> ModelServer:
    """The application, from the environment unless told otherwise.

    Raises:
        ConfigurationInvalid: a setting is wrong.
    """
    settings = settings or load_settings()
    metrics = Metrics()
    if engine is None:
        options = settings.engine_options(metrics.observe_batch)
        engine = LocalEngine(options=options, required=settings.tasks)
    return ModelServer(Server(settings, engine, metrics))
