"""Serves in one process, and ends it in order."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
import time
from concurrent.futures import Future
from types import FrameType
from typing import Final

import uvicorn

from discern.errors import ConfigurationInvalid
from discern.model_server.app import ModelServer, create_app
from discern.model_server.settings import ModelServerSettings
from discern.model_server.shortcut import Shortcut
from discern.model_server.writes import JoiningProtocol, Limits

BACKLOG: Final = 2048
TICKS_OF_A_LOOK: Final = 10
KEEP_ALIVE_S: Final = 75
"""Longer than clients keep idle connections, so that they and not we close them."""
AT_ONCE_S: Final = 0.1
"""Time in which what has just been answered can still be closed in order."""
SAME_SIGNAL_S: Final = 2.0
"""Ctrl-C reaches every process of a group, and the first of them then tells the others, too."""
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def serve(settings: ModelServerSettings, listener: socket.socket) -> None:
    """Serves on a bound socket until told to stop.

    SIGTERM and SIGINT drain: what was accepted is answered, what is new is refused with
    ``draining``, and readiness says no. A second signal ends at once. SIGHUP loads what the
    catalog now says is active; the models that answer go on until the new ones do.
    """
    logging.basicConfig(
        level=settings.log_level.upper(), format=LOG_FORMAT, stream=sys.stderr, force=True
    )
    application = create_app(settings)

    class Protocol(JoiningProtocol):
        limits = Limits(settings.max_head_s, settings.max_unread_s, KEEP_ALIVE_S)

    config = uvicorn.Config(
        application,
        interface="asgi3",
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        log_level=settings.log_level,
        timeout_keep_alive=KEEP_ALIVE_S,
        backlog=BACKLOG,
    )
    DrainingServer(config, application, Protocol).run(sockets=[listener])


def bind(settings: ModelServerSettings, *, shared: bool) -> socket.socket:
    """A bound socket; ``shared`` lets each process of a group bind the same port.

    Raises:
        ConfigurationInvalid: the address is taken or not of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise ConfigurationInvalid(
            f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}).", field="port"
        ) from error
    return listener


class DrainingServer(uvicorn.Server):
    """Answers what it has accepted before it closes its socket."""

    def __init__(
        self,
        config: uvicorn.Config,
        application: ModelServer,
        protocol: type[JoiningProtocol],
    ) -> None:
        super().__init__(config)
        self._protocol = protocol
        self._state = application.server
        self._serving_loop: asyncio.AbstractEventLoop | None = None
        self._leaving: Future[None] | None = None
        self._asked = float("-inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Keeps the loop for the signal handler, which runs outside of it."""
        self._serving_loop = asyncio.get_running_loop()
        self._serving_loop.add_signal_handler(signal.SIGHUP, self._state.refresh)
        self._protocol.shortcut = Shortcut(self._state, self._serving_loop)
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Looks after the connections about once a second."""
        if counter % TICKS_OF_A_LOOK == 0:
            for connection in list(self.server_state.connections):
                connection.look()  # type: ignore[union-attr]
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to drain at the first signal, and ends at a second that is not the same."""
        now = time.monotonic()
        if self._leaving is None and self._serving_loop is not None:
            self._asked = now
            self._leaving = asyncio.run_coroutine_threadsafe(self._leave(), self._serving_loop)
        elif now - self._asked > SAME_SIGNAL_S:
            self._close_within(AT_ONCE_S)
            super().handle_exit(sig, frame)

    async def _leave(self) -> None:
        left = await self._state.drain()
        if not self.should_exit:
            self._close_within(max(left, AT_ONCE_S))
            self.should_exit = True

    def _close_within(self, seconds: float) -> None:
        # Closing waits again for what is under way; together they may take DRAIN_S.
        self.config.timeout_graceful_shutdown = seconds  # type: ignore[assignment]
