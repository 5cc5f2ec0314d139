"""Serves the site: ``python -m discern.web.serve``. Does not migrate; ``discern.web migrate`` does.

HTTP is read and written outside Python (granian); the site runs on threads of a few processes,
because a request spends much of its time waiting for the model server, and the rest in Python, of
which one process runs one thread at a time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.urls import resolve
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import MPServer

from discern.errors import ConfigurationInvalid
from discern.web.environment import Environment, load_site_environment
from discern.web.processes import forget_dead_processes

GRACE_S: Final = 10
"""How long requests under way may take when the server is told to stop."""
CONNECTIONS: Final = 1_000
"""Open connections of one process; further ones wait to be accepted."""

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def server(environment: Environment) -> MPServer:
    """The server with the settings of the environment and nothing from a file or command line."""
    return MPServer(
        target="discern.web.wsgi:application",
        address=environment.web_host,
        port=environment.web_port,
        interface=Interfaces.WSGI,
        workers=environment.web_processes,
        blocking_threads=environment.web_threads,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_S,
    )


def load(_target: str) -> WsgiApplication:
    """The site; called once in each process that serves it."""
    # Out of reach of the terminal's Ctrl-C: the first process passes it on, and the second of two
    # signals would leave this one waiting.
    os.setpgid(0, 0)
    # Until the server has set its own, the handlers are the first process's, which do nothing here:
    # told to stop while it loads, this process would stay until it is killed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_the_first, name="first", daemon=True).start()
    from discern.web.wsgi import application

    resolve("/api/v1/analyze")  # loads every view, which Django would leave to the first request
    # All of it stays; looking for garbage among it was a tenth of what a request costs.
    gc.collect()
    gc.freeze()
    return application


def _end_with_the_first() -> None:
    # A process whose parent was killed must not hold the port unseen.
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_S)
        os.kill(os.getpid(), signal.SIGKILL)


def _check_address(environment: Environment) -> None:
    """Says at once what is wrong with the address, which the server would repeat for ever.

    Raises:
        ConfigurationInvalid: it is taken, or not this machine's.
    """
    host, port = environment.web_host, environment.web_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ConfigurationInvalid(
            f"DISCERN_WEB_HOST, DISCERN_WEB_PORT: cannot listen on {host}, port {port} "
            f"({error.strerror})."
        ) from error


def main() -> int:
    """Runs until stopped; a wrong environment is one readable message, status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "discern.web.settings")
    try:
        environment = load_site_environment()
        _check_address(environment)
        forget_dead_processes(environment.shared_metrics_dir)
    except ConfigurationInvalid as error:
        sys.stderr.write(f"discern: {error.message}\n")
        return 2
    server(environment).serve(target_loader=load)
    return 0


if __name__ == "__main__":
    sys.exit(main())
