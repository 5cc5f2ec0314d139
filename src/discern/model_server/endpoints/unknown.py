"""Every path that is none of the others; those of the protocol are answered in its way."""

from __future__ import annotations

from typing import Final, NoReturn

from discern.errors import NotFound
from discern.model_server.door import Endpoint
from discern.model_server.endpoints.open_inference import protocol_error
from discern.model_server.exchange import Request
from discern.model_server.server import Server


async def unknown(server: Server, request: Request) -> NoReturn:
    """404, in the shape of every error of its part."""
    raise NotFound(f"There is nothing at {request.scope['path']}.")


METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_HANDLERS: Final = dict.fromkeys(METHODS, unknown)
ENDPOINTS: Final = (
    Endpoint("/v2/{path:path}", _HANDLERS, guarded=False, write_error=protocol_error),
    Endpoint("/{path:path}", _HANDLERS, guarded=False),
)
