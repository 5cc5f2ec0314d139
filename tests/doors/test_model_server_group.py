"""Several processes of one server: counted as one, replaced when killed, ended together."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.doors.servers import (
    BODY,
    PATIENCE_S,
    RunningServer,
    in_flight,
    metric,
    model_server,
    until,
)


@pytest.fixture
def group(quick_home: Path) -> Iterator[RunningServer]:
    with model_server(quick_home, workers=2, sessions=1) as server:
        until(lambda: len(members(server)) == 2, server)
        yield server


def members(server: RunningServer) -> list[int]:
    path = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    pids = [int(pid) for pid in path.read_text().split()]
    return [pid for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_with_several_processes_every_scrape_counts_all_of_them(group: RunningServer) -> None:
    for _ in range(40):  # a connection each, so that both processes are asked
        with group.client() as client:
            until(lambda: client.get("/health/ready").status_code == 200)
            assert client.post("/v1/analyze", json=BODY).status_code == 200
    for _ in range(6):
        with group.client() as client:
            text = client.get("/metrics").text
        assert metric(text, "discern_model_requests_total", endpoint="analyze", outcome="ok") == 40
        assert metric(text, "model_prediction_seconds_count", model_name="words") == 40


def test_a_killed_process_of_a_group_is_replaced_while_the_other_answers(
    group: RunningServer,
) -> None:
    first = members(group)
    os.kill(first[0], signal.SIGKILL)
    until(lambda: len(members(group)) == 2 and first[0] not in members(group))

    def answers() -> bool:
        with group.client() as client:
            return client.post("/v1/analyze", json=BODY).status_code == 200

    until(answers)
    assert group.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in first)


def test_a_group_whose_first_process_is_killed_does_not_live_on(group: RunningServer) -> None:
    pids = members(group)
    group.process.kill()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_a_member_that_was_still_starting_when_the_first_process_was_killed_ends_too(
    quick_home: Path,
) -> None:
    with model_server(quick_home, workers=2, sessions=1, ready=False) as server:
        until(lambda: len(members(server)) == 2, server)
        pids = members(server)
        server.process.kill()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_an_interrupt_from_the_keyboard_lets_a_group_answer_what_it_accepted(
    slow_home: Path,
) -> None:
    with model_server(slow_home, workers=2, sessions=1) as server:
        until(lambda: len(members(server)) == 2, server)
        accepted: list[httpx.Response] = []

        def ask() -> None:
            with server.client() as own:
                accepted.append(own.post("/v1/analyze", json={"texts": ["good"] * 200}))

        def is_ready() -> bool:
            with server.client() as own:  # a connection each, so that both processes are asked
                return own.get("/health/ready").status_code == 200

        until(lambda: all(is_ready() for _ in range(12)))
        thread = threading.Thread(target=ask)
        thread.start()
        with server.client() as client:
            until(lambda: in_flight(client) == 1)
        os.killpg(server.process.pid, signal.SIGINT)
        thread.join(PATIENCE_S)
        assert accepted[0].status_code == 200
        assert server.process.wait(PATIENCE_S) == 0
