"""A folder of metrics outlives the processes that wrote in it."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

from discern.catalog.store import Store
from tests.doors.servers import PATIENCE_S, RunningServer, metric, model_server, until
from tests.fakes.bundles import sentiment_store


def in_flight(server: RunningServer) -> float:
    with server.client() as client:
        return metric(client.get("/metrics").text, "discern_requests_in_flight")


def test_what_was_under_way_in_a_killed_server_is_not_under_way_in_the_next(
    tmp_path: Path,
) -> None:
    home, folder = tmp_path / "home", tmp_path / "metrics"
    sentiment_store(home)
    Store(home).activate("words")
    with model_server(home, metrics_dir=folder) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as raw:
            raw.sendall(b"POST /v1/analyze?x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            until(lambda: in_flight(server) == 2)  # the scrape is one itself
            server.stop(signal.SIGKILL)
    with model_server(home, metrics_dir=folder) as server:
        assert in_flight(server) == 1
        with server.client() as client:
            text = client.get("/metrics").text
    assert metric(text, "discern_model_requests_total", endpoint="analyze") == 0
