"""Which models this server knows."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Final

from discern.model_server.door import Endpoint
from discern.model_server.exchange import Reply, Request, json_reply
from discern.model_server.server import Server


async def models(server: Server, request: Request) -> Reply:
    """Every model with its task, state and, where it is not ready, the reason."""
    infos = await asyncio.to_thread(server.engine.models)
    return json_reply({"models": [asdict(info) for info in infos]})


ENDPOINTS: Final = (Endpoint("/v1/models", {"GET": models}),)
