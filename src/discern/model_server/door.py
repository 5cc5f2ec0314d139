"""From ASGI to an endpoint and back: limits, token, counting, and every error as JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from discern.errors import Cancelled, DiscernError, InvalidInput
from discern.model_server.exchange import (
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    StreamReply,
    error_reply,
)
from discern.model_server.server import Server
from discern.model_server.statuses import outcome_of

_log = logging.getLogger(__name__)

Handler = Callable[[Server, Request], Awaitable[Reply | StreamReply]]
ErrorWriter = Callable[[DiscernError], Reply]


class MethodNotAllowed(InvalidInput):
    """The path is right, the method is not; known only to this door."""

    code = "method_not_allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"Use {self.allowed} here.", field="method")


def outcome_and_reply(
    error: Exception, write_error: ErrorWriter, path: str
) -> tuple[str, Reply | None]:
    """How an error is counted and answered, None where nobody waits; what is ours is logged."""
    if not isinstance(error, DiscernError):
        _log.error("%s failed", path, exc_info=error)
        return "failed", write_error(DiscernError("The server failed on this request."))
    outcome = outcome_of(error)
    if isinstance(error, Cancelled):
        return outcome, None
    reply = write_error(error)
    if isinstance(error, MethodNotAllowed):
        reply.headers.append((b"allow", error.allowed.encode()))
    if outcome == "failed":
        _log.error("%s failed: %s", path, error, exc_info=error)
    return outcome, reply


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One row of the route table.

    Args:
        path: as Starlette writes it, parameters in braces.
        handlers: method -> coroutine function ``(server, request)``.
        name: under which its requests are counted; None leaves them uncounted.
        guarded: is refused while draining or overloaded.
        asks_token: is refused without the token, where one is set.
        write_error: how its errors look.
    """

    path: str
    handlers: Mapping[str, Handler]
    name: str | None = None
    guarded: bool = True
    asks_token: bool = True
    write_error: ErrorWriter = error_reply


class Door:
    """The ASGI application of one endpoint."""

    def __init__(self, endpoint: Endpoint, server: Server) -> None:
        self._endpoint = endpoint
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        server, endpoint = self._server, self._endpoint
        server.entered(guarded=endpoint.guarded)
        outcome = "ok"
        try:
            reply: Reply | StreamReply | None
            try:
                reply = await self._answer(scope, receive)
            except Exception as error:
                outcome, reply = outcome_and_reply(error, endpoint.write_error, scope["path"])
            if reply is not None:
                await reply.send(send)
        except Cancelled:
            outcome = "cancelled"
        except Exception:
            outcome = "failed"
            raise
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            server.left(guarded=endpoint.guarded)
            if endpoint.name is not None:
                server.metrics.ended(endpoint.name, outcome)

    async def _answer(self, scope: Scope, receive: Receive) -> Reply | StreamReply:
        server, endpoint = self._server, self._endpoint
        settings = server.settings
        request = Request(
            scope,
            receive,
            max_body_bytes=settings.max_body_bytes,
            max_request_s=settings.max_request_s,
        )
        if endpoint.asks_token:
            server.check_token(request)
        if endpoint.guarded:
            server.admit()
        handler = endpoint.handlers.get(scope["method"])
        if handler is None:
            raise MethodNotAllowed(endpoint.handlers)
        return await handler(server, request)
