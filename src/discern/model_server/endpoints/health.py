"""Whether the process lives, whether its models answer, and its metrics."""

from __future__ import annotations

import asyncio
from typing import Final

from discern.errors import Draining, ModelNotReady
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, json_reply
from discern.model_server.metrics import CONTENT_TYPE
from discern.model_server.server import Server


async def live(server: Server, request: Request) -> Reply:
    """200 as long as the event loop turns."""
    return json_reply({"status": "live"})


async def ready(server: Server, request: Request) -> Reply:
    """200 when every required model has passed a real inference, else 503 and why."""
    if server.draining:
        raise Draining("The server is stopping.")
    if await server.is_ready():
        return json_reply({"status": "ready"})
    reasons = [
        f"{info.name} {info.version}: {info.reason}"
        for info in await asyncio.to_thread(server.engine.models)
        if info.reason
    ]
    raise ModelNotReady("; ".join(reasons) or "The models are not loaded yet.", retry_after_s=1.0)


async def metrics(server: Server, request: Request) -> Reply:
    """The Prometheus text format."""
    body = await asyncio.to_thread(server.metrics.render)
    return Reply(body, content_type=CONTENT_TYPE)


ENDPOINTS: Final = (
    Endpoint("/health/live", {"GET": live, "HEAD": live}, guarded=False, asks_token=False),
    Endpoint("/health/ready", {"GET": ready, "HEAD": ready}, guarded=False, asks_token=False),
    Endpoint("/metrics", {"GET": metrics}, guarded=False),
)
