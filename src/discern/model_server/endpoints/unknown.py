"""Every path that is none of the others."""

from __future__ import annotations

from typing import Final, NoReturn

from discern.errors import NotFound
from discern.model_server.door import Endpoint
from discern.model_server.exchange import Request
from discern.model_server.server import Server


async def unknown(server: Server, request: Request) -> NoReturn:
    """404, in the shape of every error."""
    raise NotFound(f"There is nothing at {request.scope['path']}.")


METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
ENDPOINTS: Final = (Endpoint("/{path:path}", dict.fromkeys(METHODS, unknown), guarded=False),)
