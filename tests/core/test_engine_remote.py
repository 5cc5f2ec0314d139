"""The remote engine against servers made of plain sockets, which misbehave as real ones do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

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


def test_a_with_block_closes_the_connections_at_its_end() -> None:
    with peer(lambda _: http(200, GOOD)) as (made, other):
        with RemoteEngine(made.url) as engine:
            assert len(engine.analyze(["good"])) == 1
        # The peer serves one connection at a time, so it must be rid of the first by now.
        assert len(other.analyze(["good"], deadline_s=5)) == 1
        assert made.connections == 2


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
        with pytest.raises(EngineUnreachable) as caught:
            engine.analyze(["good"])
        assert made.connections == 2
        assert caught.value.cut_off


def test_a_server_that_ends_at_work_is_told_from_one_that_ended_before_it_was_asked() -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            _read(connection)
            connection.sendall(http(200, GOOD))
            if dies_at_work:
                _read(connection)
            listener.close()

    for dies_at_work in (True, False):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with RemoteEngine(url, timeout_s=20) as engine:
                engine.analyze(["good"])
                if not dies_at_work:
                    thread.join()
                with pytest.raises(EngineUnreachable) as caught:
                    engine.analyze(["good"])
            assert caught.value.cut_off is dies_at_work


def test_nobody_listening_is_unreachable_with_a_time_to_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    engine = RemoteEngine(f"http://127.0.0.1:{port}")
    with pytest.raises(EngineUnreachable) as caught:
        engine.analyze(["good"])
    assert caught.value.retry_after_s
    assert not caught.value.cut_off
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


def test_an_answer_in_chunks_is_put_together_and_the_connection_goes_on() -> None:
    data = json.dumps(GOOD).encode()
    chunks = b"".join(b"%x;x=1\r\n%s\r\n" % (len(p), p) for p in (data[:7], data[7:]))
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nA: b\r\n\r\n"
    )
    with peer(lambda _: answer) as (made, engine):
        for _ in range(3):
            assert engine.analyze(["good"])[0].label == "positive"
        assert made.connections == 1


def test_an_answer_that_ends_with_its_connection_is_whole_and_the_next_one_asks_anew() -> None:
    def answer(_: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + json.dumps(GOOD).encode()

    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(answer(_read(connection)))

    threading.Thread(target=serve, daemon=True).start()
    engine = RemoteEngine(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=20)
    for _ in range(2):
        assert engine.analyze(["good"])[0].label == "positive"
    engine.close()
    listener.close()


def test_an_answer_cut_off_in_its_body_is_asked_for_again_and_then_unreachable() -> None:
    whole = http(200, GOOD)

    def serve() -> None:
        for part in (whole[:-5], whole, whole[:-5], whole[:-5]):
            connection, _ = listener.accept()
            with connection:
                _read(connection)
                connection.sendall(part)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        engine = RemoteEngine(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=20)
        assert engine.analyze(["good"])[0].label == "positive"
        engine.close()
        with pytest.raises(EngineUnreachable):
            engine.analyze(["good"])
        engine.close()


def test_bytes_beyond_an_answer_are_not_taken_for_the_next_one() -> None:
    other = {**GOOD, "model": {"name": "wrong", "version": "1"}}
    with peer(lambda _: http(200, GOOD) + http(200, other)) as (made, engine):
        for _ in range(2):
            assert engine.analyze(["good"])[0].model_name == "words"
        assert made.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)
def test_what_is_not_http_is_unreachable(answer: bytes) -> None:
    with peer(lambda _: answer) as (_, engine), pytest.raises(EngineUnreachable):
        engine.analyze(["good"], deadline_s=20)


def test_a_server_that_sends_byte_after_byte_is_waited_for_no_longer_than_the_deadline() -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            _read(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                time.sleep(0.02)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        engine = RemoteEngine(f"http://127.0.0.1:{listener.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            engine.analyze(["good"], deadline_s=0.2)
        assert time.monotonic() - started < 15
        engine.close()


@pytest.mark.parametrize("token", ["two\r\nlines", "naïve"])
def test_a_token_that_cannot_be_sent_is_refused(token: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        RemoteEngine("http://127.0.0.1:1", token=token)
