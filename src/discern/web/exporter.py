"""A worker's metrics over HTTP, for machines on which no site runs that would show them."""

from __future__ import annotations

import hmac
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, values
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from discern.errors import ConfigurationInvalid
from discern.web.environment import Environment

log = logging.getLogger(__name__)

REQUEST_LIMIT_S: Final = 5.0
"""A client that says nothing for this long is let go."""


def shared_numbers() -> CollectorRegistry:
    """The numbers of every process that writes into this machine's folder of metrics."""
    if values.ValueClass is values.MutexValue:  # numbers kept in this process alone
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def serve_metrics(environment: Environment) -> ThreadingHTTPServer | None:
    """Answers ``/metrics`` on ``DISCERN_WORKER_METRICS_PORT`` from a thread; None when it is 0.

    With ``DISCERN_METRICS_TOKEN`` set, only who has it is answered.

    Raises:
        ConfigurationInvalid: the address cannot be bound.
    """
    if not environment.worker_metrics_port:
        return None
    address = (environment.worker_metrics_host, environment.worker_metrics_port)
    try:
        server = ThreadingHTTPServer(address, _handler(environment))
    except OSError as error:
        raise ConfigurationInvalid(
            f"DISCERN_WORKER_METRICS_PORT: cannot listen on {address[0]}:{address[1]} "
            f"({error.strerror})."
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("Metrics of this worker on http://%s:%d/metrics.", *server.server_address[:2])
    return server


def _handler(environment: Environment) -> type[BaseHTTPRequestHandler]:
    token = environment.metrics_token
    wanted = f"Bearer {token.get_secret_value()}".encode() if token else None

    class Handler(BaseHTTPRequestHandler):
        timeout = REQUEST_LIMIT_S
        server_version, sys_version = "discern", ""

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "").encode()
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, "text/plain", b"Only /metrics is here.\n")
            elif wanted is not None and not hmac.compare_digest(given, wanted):
                self._answer(403, "text/plain", b"The metrics are for who has the token.\n")
            else:
                encode, content_type = choose_encoder(self.headers.get("Accept", ""))
                self._answer(200, content_type, encode(shared_numbers()))

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """A scrape every few seconds is no news."""

    return Handler
