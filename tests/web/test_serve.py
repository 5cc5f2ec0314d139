"""The web server itself: its processes, how they end, and HTTP that no framework sees."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from django.db import connection

from tests.web.live import LiveSite

pytestmark = pytest.mark.timeout(400)
LONG_S = 30.0


@pytest.fixture
def own_site(tmp_path: Path) -> Iterator[LiveSite]:
    """A site of this test's own, to be mistreated."""
    with LiveSite(tmp_path) as site:
        yield site


def _first(site: LiveSite) -> psutil.Process:
    [process] = site._processes
    return psutil.Process(process.pid)


def _until(condition: object, what: str) -> None:
    limit = time.monotonic() + LONG_S
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def test_the_live_site_s_database_is_of_the_kind_that_the_tests_run_on(site: LiveSite) -> None:
    on_sqlite = (site.home / "discern.sqlite3").exists()
    assert on_sqlite == (connection.vendor == "sqlite")


def test_two_processes_serve_and_one_that_is_killed_is_replaced(own_site: LiveSite) -> None:
    first = _first(own_site)
    serving = first.children()
    assert len(serving) == 2
    serving[0].kill()
    _until(lambda: len(first.children()) == 2 and serving[0] not in first.children(), "no new one")
    with own_site.client() as client:
        for _ in range(20):
            assert client.get("/health/live").status_code == 200


def test_no_process_lives_on_when_the_first_is_killed(own_site: LiveSite) -> None:
    first = _first(own_site)
    serving = first.children()
    os.kill(first.pid, signal.SIGKILL)
    _until(lambda: not any(p.is_running() for p in serving), "a process holds the port unseen")


def test_control_c_in_a_terminal_ends_all_at_once(tmp_path: Path) -> None:
    with LiveSite(tmp_path) as site:
        first = _first(site)
        serving = first.children()
        began = time.monotonic()
        for process in [first, *serving]:
            if os.getpgid(process.pid) == os.getpgid(first.pid):
                process.send_signal(signal.SIGINT)
        _until(lambda: not first.is_running() or first.status() == "zombie", "still there")
        assert time.monotonic() - began < 5, "a process waited out its grace period"
        assert not any(p.is_running() for p in serving)


def test_an_address_that_is_taken_is_one_clear_line(own_site: LiveSite) -> None:
    second = own_site.start("discern.web.serve")
    assert second.wait(LONG_S) == 2
    assert f"port {own_site.port} (Address already in use)" in own_site.log("discern.web.serve")


def test_a_request_under_way_is_answered_when_the_server_is_told_to_stop(
    own_site: LiveSite,
) -> None:
    body = b'{"text": "good"}'
    head = (
        f"POST /api/v1/analyze HTTP/1.1\r\nHost: 127.0.0.1:{own_site.port}\r\n"
        f"Authorization: Bearer {own_site.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", own_site.port), timeout=LONG_S) as peer:
        peer.sendall(head + body[:5])
        time.sleep(0.3)  # it has begun
        _first(own_site).terminate()
        time.sleep(0.2)
        peer.sendall(body[5:])
        assert peer.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"X-A: a\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"POST /api/v1/analyze HTTP/1.1\r\nContent-Length: 5, 6\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_acceptable_http_is_refused(site: LiveSite, sent: bytes, status: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.port), timeout=LONG_S) as peer:
        peer.sendall(sent)
        assert peer.recv(100).split(b" ")[1] == status


def test_an_answer_tells_its_length_also_when_only_its_head_is_asked_for(site: LiveSite) -> None:
    with site.client() as client:
        whole, head = client.get("/api/v1/openapi.json"), client.head("/api/v1/openapi.json")
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    assert head.headers["Content-Length"] == whole.headers["Content-Length"]
    assert head.content == b""
