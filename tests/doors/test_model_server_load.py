"""Overload, deadlines, callers that go away, many clients: on real processes."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.doors.servers import (
    BODY,
    PATIENCE_S,
    RunningServer,
    in_flight,
    metric,
    model_server,
    until,
)


def ask_at_once(server: RunningServer, requests: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=requests)
    with server.client(limits=limits) as client, ThreadPoolExecutor(requests) as pool:
        return list(pool.map(lambda _: client.post("/v1/analyze", json=BODY), range(requests)))


def test_past_its_queue_it_refuses_with_a_time_to_come_back_and_recovers(slow_home: Path) -> None:
    with model_server(slow_home, max_queue_items=5, sessions=1, max_batch_items=2) as server:
        answers = ask_at_once(server, 60)
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {200, 503}
        for answer in answers:
            if answer.status_code == 200:
                assert answer.json()["results"][0]["label"] == "positive"
            else:
                assert answer.json()["error"]["code"] == "overloaded"
                assert int(answer.headers["retry-after"]) >= 1
        with server.client() as client:
            assert client.post("/v1/analyze", json=BODY).status_code == 200
            text = client.get("/metrics").text
        ended = "discern_model_requests_total"
        assert metric(text, ended, endpoint="analyze", outcome="rejected") == statuses[503]
        assert metric(text, ended, endpoint="analyze", outcome="ok") == statuses[200] + 1


def test_work_that_waits_longer_than_allowed_is_refused_before_it_is_queued(
    slow_home: Path,
) -> None:
    with model_server(slow_home, max_wait_s=0.1, sessions=1, max_batch_items=1) as server:
        answers = ask_at_once(server, 80)
        refused = [a.json()["error"] for a in answers if a.status_code == 503]
        assert refused
        assert {error["limit"] for error in refused} == {0.1}
        assert any(answer.status_code == 200 for answer in answers)


def test_a_whole_request_to_a_full_queue_is_refused_on_sight_and_its_connection_goes_on(
    slow_home: Path,
) -> None:
    body = json.dumps(BODY).encode()
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        model_server(slow_home, max_wait_s=0.1, sessions=1, max_batch_items=1) as server,
        server.client() as client,
        socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)) as plain,
    ):
        busy = threading.Thread(
            target=client.post, args=("/v1/analyze",), kwargs={"json": {"texts": ["good"] * 300}}
        )
        busy.start()
        until(lambda: in_flight(client) == 1)
        statuses = [_answer(plain, head.encode() + body)[0] for _ in range(20)]
        assert statuses[-1] == 503
        status, rest = _answer(plain, head.encode() + body)
        assert status == 503
        assert re.search(rb"\r\nretry-after: [1-9]", rest)
        assert json.loads(rest.partition(b"\r\n\r\n")[2])["error"]["code"] == "overloaded"
        busy.join()
        assert _answer(plain, head.encode() + body)[0] == 200
        text = client.get("/metrics").text
        refused = metric(text, "discern_model_requests_total", outcome="rejected")
        assert refused == statuses.count(503) + 1


def test_lines_and_strangers_are_not_refused_on_sight_when_the_queue_is_full(
    slow_home: Path,
) -> None:
    token = "a-token-for-the-tests"
    body = json.dumps(BODY).encode()
    head = f"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with (
        model_server(
            slow_home, max_wait_s=0.1, sessions=1, max_batch_items=1, token=token
        ) as server,
        server.client() as client,
    ):
        address = ("127.0.0.1", urlsplit(server.url).port or 0)
        busy = threading.Thread(
            target=client.post, args=("/v1/analyze",), kwargs={"json": {"texts": ["good"] * 300}}
        )
        busy.start()
        until(lambda: in_flight(client) == 1)
        known = f"authorization: Bearer {token}\r\n"
        with socket.create_connection(address) as plain:
            until(lambda: _answer(plain, f"{head}{known}\r\n".encode() + body)[0] == 503)
            assert _answer(plain, f"{head}\r\n".encode() + body)[0] == 401
            wrong = f"Authorization: Bearer {token}x\r\n\r\n"
            assert _answer(plain, (head + wrong).encode() + body)[0] == 401
        with socket.create_connection(address, timeout=PATIENCE_S) as lines:
            kind = "Content-Type: application/x-ndjson\r\n\r\n"
            lines.sendall((head + known + kind).encode() + body)
            answer = b""
            while piece := lines.recv(65_536):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"label":"positive"' in answer
        busy.join()


def _answer(connection: socket.socket, request: bytes) -> tuple[int, bytes]:
    connection.settimeout(PATIENCE_S)
    connection.sendall(request)
    answer = b""
    while not (length := re.search(rb"content-length: (\d+)\r\n", answer)) or len(
        answer
    ) < answer.find(b"\r\n\r\n") + 4 + int(length[1]):
        piece = connection.recv(65_536)
        assert piece
        answer += piece
    return int(answer[9:12]), answer


def test_past_its_limit_of_requests_under_way_it_refuses(slow_home: Path) -> None:
    with model_server(slow_home, max_requests=4, sessions=1) as server:
        answers = ask_at_once(server, 40)
        refused = [a.json()["error"] for a in answers if a.status_code == 503]
        assert refused
        assert {(error["code"], error["limit"]) for error in refused} == {("overloaded", 4)}


def test_readiness_holds_under_overload(slow_home: Path) -> None:
    with model_server(slow_home, max_queue_items=8, sessions=1) as server, server.client() as probe:
        loader = threading.Thread(target=ask_at_once, args=(server, 50))
        loader.start()
        while loader.is_alive():
            assert probe.get("/health/ready").status_code == 200
            assert probe.get("/health/live").status_code == 200
        loader.join()


def test_a_deadline_is_kept_and_its_queued_work_dropped(slow_home: Path) -> None:
    with (
        model_server(slow_home, sessions=1, max_batch_items=4, max_wait_s=600) as server,
        server.client() as client,
    ):
        busy = threading.Thread(
            target=client.post, args=("/v1/analyze",), kwargs={"json": {"texts": ["good"] * 200}}
        )
        busy.start()
        until(lambda: in_flight(client) == 1)
        started = time.monotonic()
        answer = client.post(
            "/v1/analyze",
            json={"texts": ["bad"] * 100},
            headers={"Discern-Deadline-S": "0.2"},
        )
        assert answer.status_code == 504
        assert answer.json()["error"]["code"] == "deadline_exceeded"
        assert time.monotonic() - started >= 0.2
        busy.join()
        [stats] = client.get("/v2/models/words/stats").json()["model_stats"]
        assert stats["inference_count"] < 200 + 100
        text = client.get("/metrics").text
        assert metric(text, "discern_model_requests_total", outcome="expired") == 1


def test_a_caller_that_goes_away_frees_its_place_in_the_queue(slow_home: Path) -> None:
    with (
        model_server(slow_home, sessions=1, max_batch_items=1, max_wait_s=600) as server,
        server.client() as client,
    ):
        parts = urlsplit(server.url)
        body = json.dumps({"texts": ["good"] * 1000}).encode()
        with socket.create_connection((parts.hostname, parts.port)) as gone:
            gone.sendall(
                b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            until(lambda: in_flight(client) == 1)
        until(lambda: in_flight(client) == 0)
        text = client.get("/metrics").text
        assert metric(text, "discern_model_requests_total", outcome="cancelled") == 1
        [stats] = client.get("/v2/models/words/stats").json()["model_stats"]
        assert stats["inference_count"] < 1000
        assert client.post("/v1/analyze", json=BODY).status_code == 200


def test_answers_are_never_crossed_between_many_clients(quick_home: Path) -> None:
    with model_server(quick_home) as server:

        def ask(seed: int) -> bool:
            with server.client() as client:
                for turn in range(25):
                    goods, bads = seed, turn % 7
                    text = " ".join(["good"] * goods + ["bad"] * bads) or "so"
                    [result] = client.post("/v1/analyze", json={"text": text}).json()["results"]
                    assert result["tokens"] == max(goods + bads, 1)
            return True

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(ask, range(16)))
