"""The remote engine against servers made of plain sockets, which misbehave as real ones do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from discern.engine.interface import Engine
from discern.engine.remote import RemoteEngine
from discern.errors import (
    ConfigurationInvalid,
    DeadlineExceeded,
    EmptyInput,
    EngineUnreachable,
    Overloaded,
    Unauthorized,
)

RESULTS: list[dict[str, object]] = [
    {
        "label": "positive",
        "score": 0.9,
        "scores": {"negative": 0.1, "positive": 0.9},
        "windows": 1,
        "tokens": 1,
    }
]
GOOD = {
    "model": {"name": "words", "version": "1.0.0"},
    "results": RESULTS,
}
Answer = Callable[[bytes], bytes | None]


def http(status: int, body: object) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data)


class Peer:
    """Answers requests on one socket, each with ``answer(request)``; None closes instead."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        while request := _read(connection):
            self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                return
            connection.sendall(answer)


def _read(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        try:
            part = connection.recv(65536)
        except OSError:
            return b""
        if not part:
            return b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0] or 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def peer(answer: Answer) -> Iterator[tuple[Peer, RemoteEngine]]:
    made = Peer(answer)
    engine = RemoteEngine(made.url, token="secret-token", timeout_s=20)
    try:
        yield made, engine
    finally:
        engine.close()
        made.listener.close()


def test_it_is_an_engine_and_reads_the_servers_answer() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, engine):
        assert isinstance(engine, Engine)
        [mood] = engine.analyze(["good"], model="words")
        assert (mood.label, mood.score, mood.model_name) == ("positive", 0.9, "words")
        head, _, body = made.requests[0].partition(b"\r\n\r\n")
        assert b"authorization: bearer secret-token" in head.lower()
        assert json.loads(body) == {"texts": ["good"], "model": "words"}


def test_one_connection_carries_many_calls() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, engine):
        for _ in range(20):
            engine.analyze(["good"])
        assert (made.connections, len(made.requests)) == (1, 20)


def test_the_time_left_is_told_to_the_server() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, engine):
        engine.analyze(["good"], deadline_s=5)
        told = made.requests[0].lower().partition(b"discern-deadline-s: ")[2].split(b"\r")[0]
        assert 0 < float(told) <= 5


def test_a_connection_the_server_closed_while_idle_is_replaced_unnoticed() -> None:
    answers = iter([http(200, GOOD), None, http(200, GOOD)])
    with peer(lambda _: next(answers)) as (made, engine):
        assert len(engine.analyze(["good"])) == 1
        assert len(engine.analyze(["good"])) == 1
        assert made.connections == 2


def test_a_server_that_always_hangs_up_is_unreachable() -> None:
    with peer(lambda _: None) as (made, engine):
        with pytest.raises(EngineUnreachable):
            engine.analyze(["good"])
        assert made.connections == 2


def test_nobody_listening_is_unreachable_with_a_time_to_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    engine = RemoteEngine(f"http://127.0.0.1:{port}")
    with pytest.raises(EngineUnreachable) as caught:
        engine.analyze(["good"])
    assert caught.value.retry_after_s
    assert not engine.ready()
    engine.close()


def test_a_server_that_does_not_answer_in_time_is_a_deadline_exceeded() -> None:
    release = threading.Event()

    def hang(_: bytes) -> bytes | None:
        release.wait(20)
        return None

    with peer(hang) as (_, engine):
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            engine.analyze(["good"], deadline_s=0.1)
        assert time.monotonic() - started < 15
        release.set()


def test_a_deadline_already_past_is_not_sent() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, engine):
        with pytest.raises(DeadlineExceeded):
            engine.analyze(["good"], deadline_s=0)
        assert not made.requests


def test_the_servers_errors_come_out_as_the_core_errors_they_are() -> None:
    body = {"error": {"code": "overloaded", "message": "full", "limit": 7, "retry_after_s": 0.5}}
    with peer(lambda _: http(503, body)) as (_, engine):
        with pytest.raises(Overloaded) as caught:
            engine.analyze(["good"])
        assert (caught.value.limit, caught.value.retry_after_s) == (7, 0.5)


def test_a_refused_token_is_unauthorized_whoever_refused_it() -> None:
    with peer(lambda _: http(401, {})) as (_, engine), pytest.raises(Unauthorized):
        engine.analyze(["good"])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>hello</html>"),
        (200, {"model": {}, "results": []}),
        (200, {"results": [1]}),
        (200, []),
        (200, {**GOOD, "results": RESULTS * 2}),
        (502, b"Bad Gateway"),
        (500, {"error": "text"}),
        (302, {}),
    ],
)
def test_what_is_not_a_model_server_is_unreachable_and_never_an_answer(
    status: int, body: object
) -> None:
    with peer(lambda _: http(status, body)) as (_, engine), pytest.raises(EngineUnreachable):
        engine.analyze(["good"])


def test_bad_texts_do_not_leave_the_process() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, engine):
        with pytest.raises(EmptyInput):
            engine.analyze([" "])
        assert not made.requests


@pytest.mark.parametrize("url", ["", "localhost:80", "ftp://x", "http://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        RemoteEngine(url)
