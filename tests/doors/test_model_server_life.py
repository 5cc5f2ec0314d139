"""From the start of a server to its end: models that come, signals, drain, a port that is taken."""

from __future__ import annotations

import signal
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from discern.catalog.store import Store
from tests.doors.servers import (
    BODY,
    PATIENCE_S,
    RunningServer,
    in_flight,
    metric,
    model_server,
    until,
)
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle

LONGER_THAN_ONE_SIGNAL_S = 2.1
"""Over ``discern.model_server.serve.SAME_SIGNAL_S``. Imported from there, the server's metrics
would meet the site's of the same name in the one registry of this process."""


def test_draining_answers_what_was_accepted_refuses_what_is_new_and_ends_clean(
    slow_home: Path,
) -> None:
    with model_server(slow_home, sessions=1) as server, server.client() as client:
        client.get("/health/live")  # a connection that is open before the end begins
        accepted: list[httpx.Response] = []

        def ask() -> None:
            with server.client() as own:
                accepted.append(own.post("/v1/analyze", json={"texts": ["good"] * 100}))

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: in_flight(client) == 1)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/health/ready").status_code == 503)
        assert int(client.get("/health/ready").headers["retry-after"]) >= 1
        assert int(client.get("/v2/health/ready").headers["retry-after"]) >= 1
        refused = client.post("/v1/analyze", json=BODY)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "draining"
        assert refused.headers["connection"] == "close"
        thread.join(PATIENCE_S)
        assert accepted[0].status_code == 200
        assert len(accepted[0].json()["results"]) == 100
        assert server.process.wait(PATIENCE_S) == 0


def test_what_cannot_be_answered_does_not_hold_the_end_longer_than_the_drain(
    quick_home: Path,
) -> None:
    with model_server(quick_home, drain_s=3) as server, server.client() as client:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port)) as stuck:
            stuck.sendall(b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
            until(lambda: in_flight(client) == 1)
            started = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(PATIENCE_S) == 0
            assert 3 <= time.monotonic() - started < 6


def test_a_second_signal_does_not_wait_for_the_drain(slow_home: Path) -> None:
    with model_server(slow_home, sessions=1, drain_s=60) as server, server.client() as client:
        thread = threading.Thread(target=_ignore_errors, args=(server, ["good"] * 1000))
        thread.start()
        until(lambda: in_flight(client) == 1)
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/health/ready").status_code == 503)
        time.sleep(LONGER_THAN_ONE_SIGNAL_S)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(20)
        thread.join(PATIENCE_S)


def _ignore_errors(server: RunningServer, texts: list[str]) -> None:
    try:
        with server.client() as client:
            client.post("/v1/analyze", json={"texts": texts})
    except httpx.TransportError:
        return


def test_it_lives_but_is_not_ready_while_it_has_no_model_and_takes_one_that_comes(
    tmp_path: Path,
) -> None:
    settings = {"tasks": "sentiment-analysis", "models": "words"}
    with model_server(tmp_path, ready=False, **settings) as server, server.client() as client:
        until(lambda: client.get("/health/live").status_code == 200)
        answer = client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "model_not_ready"
        assert client.get("/v2/health/ready").status_code == 503
        sentiment_store(tmp_path)
        until(lambda: client.get("/health/ready").status_code == 200)


def test_hangup_brings_the_newly_activated_version_without_a_failed_request(
    quick_home: Path,
) -> None:
    with model_server(quick_home) as server, server.client() as client:
        assert client.post("/v1/analyze", json=BODY).json()["model"]["version"] == "1.0.0"
        write_sentiment_bundle(quick_home / "models/words/1.1.0", version="1.1.0")
        Store(quick_home).activate("words", "1.1.0")
        server.process.send_signal(signal.SIGHUP)

        def is_new() -> bool:
            answer = client.post("/v1/analyze", json=BODY)
            assert answer.status_code == 200
            return bool(answer.json()["model"]["version"] == "1.1.0")

        until(is_new)


def test_a_port_that_is_taken_is_said_so(quick_home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(AssertionError, match="Cannot listen"),
            model_server(quick_home, port=port),
        ):
            pass


@pytest.mark.slow
def test_the_shipped_model_answers_soon_and_in_little_memory(tmp_path: Path) -> None:
    with model_server(tmp_path) as server, server.client() as client:
        assert client.post("/v1/analyze", json={"text": "I love it."}).status_code == 200
        text = client.get("/metrics").text
        cpu_s = metric(text, "process_cpu_seconds_total")
        resident = metric(text, "process_resident_memory_bytes")
    # Its own processor time, because the wall clock of a shared machine proves nothing.
    assert cpu_s < 3.0
    assert resident < 300e6
