"""Streams of lines outlast a model, end in order, and cost nothing once their client is gone."""

from __future__ import annotations

import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from discern.catalog.store import Store
from discern.engine.sentiment import CANARY
from tests.doors.servers import PATIENCE_S, RunningServer, metric, model_server, until
from tests.fakes.bundles import sentiment_store, write_manifest, write_sentiment_bundle

HEAD = (
    b"POST /v1/analyze HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
LINES = {"Content-Type": "application/x-ndjson"}


class Stream:
    """One stream whose lines are sent and read one by one."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self.read = b""

    def send(self, lines: bytes) -> None:
        self.raw.sendall(b"%x\r\n%b\r\n" % (len(lines), lines))

    def answer(self) -> dict[str, object]:
        while not (found := re.search(rb"(\{.*\})\n", self.read)):
            piece = self.raw.recv(65_536)
            assert piece, self.read
            self.read += piece
        self.read = self.read[found.end() :]
        answer: dict[str, object] = json.loads(found[1])
        return answer

    def ask(self, lines: bytes) -> dict[str, object]:
        self.send(lines)
        return self.answer()


@contextmanager
def stream(server: RunningServer) -> Iterator[Stream]:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as raw:
        raw.sendall(HEAD)
        yield Stream(raw)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    sentiment_store(tmp_path)
    Store(tmp_path).activate("words")
    return tmp_path


def test_blank_lines_are_passed_over_and_not_counted(home: Path) -> None:
    with model_server(home) as server, server.client() as client:
        content = b'\n"good"\n\n  \n"bad"\r\n\n'
        answer = client.post("/v1/analyze", content=content, headers=LINES)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [(line["index"], line["label"]) for line in found] == [(0, "positive"), (1, "negative")]


def test_an_id_that_cannot_be_repeated_costs_only_its_line(home: Path) -> None:
    def nested(depth: int) -> bytes:
        return b'{"text": "good", "id": %b1%b}' % (b"[" * depth, b"]" * depth)

    lines = [nested(100), nested(300), nested(900), b'"bad"', nested(252), nested(253), nested(254)]
    with model_server(home) as server, server.client() as client:
        answer = client.post("/v1/analyze", content=b"\n".join(lines), headers=LINES)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in found] == list(range(7))
    assert [line.get("label") for line in found[:4]] == ["positive", None, None, "negative"]
    assert found[1]["error"]["field"] == "id"


def test_a_stream_outlasts_the_model_that_it_began_with(home: Path) -> None:
    with model_server(home) as server, stream(server) as lines:
        assert lines.ask(b'"good"\n')["model"] == {"name": "words", "version": "1.0.0"}
        write_sentiment_bundle(home / "models/words/1.1.0", version="1.1.0")
        Store(home).activate("words", "1.1.0")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "words 1.1.0 is ready" in "".join(server.log))
        time.sleep(0.5)  # until the former one is gone, too
        answer = lines.ask(b'"good"\n')
        assert answer["model"] == {"name": "words", "version": "1.1.0"}, answer


def test_a_stream_ends_in_order_when_the_server_stops(home: Path) -> None:
    with model_server(home, drain_s=20) as server, stream(server) as lines:
        assert lines.ask(b'"good"\n')["label"] == "positive"
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        answer = lines.answer()
        assert answer["index"] == 1
        assert isinstance(answer["error"], dict)
        assert answer["error"]["code"] == "draining"
        while piece := lines.raw.recv(65_536):
            lines.read += piece
        assert lines.read.endswith(b"0\r\n\r\n")
        assert server.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < 10


def test_lines_of_a_client_that_went_away_are_not_read_on(tmp_path: Path) -> None:
    sentiment_store(tmp_path, slow=True)
    Store(tmp_path).activate("words")
    with (
        model_server(tmp_path, sessions=1, max_batch_items=1, max_wait_s=600) as server,
        server.client() as client,
    ):

        def scraped(name: str, **labels: str) -> float:
            return metric(client.get("/metrics").text, name, **labels)

        with stream(server) as lines:
            lines.send(b'"good"\n' * 5000)
            lines.answer()
        until(
            lambda: scraped("discern_model_requests_total", endpoint="analyze", outcome="cancelled")
        )
        assert scraped("discern_batch_items_sum") < 1000
        with stream(server) as lines:
            lines.ask(b'"good"\n')
        until(
            lambda: (
                scraped("discern_model_requests_total", endpoint="analyze", outcome="cancelled")
                == 2
            )
        )
        time.sleep(0.1)
        assert "Traceback" not in "".join(server.log)
        assert "ERROR" not in "".join(server.log)


def test_a_line_on_which_the_tokenizer_fails_fails_alone(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "words" / "1.0.0"
    write_sentiment_bundle(folder)
    rules = json.loads((folder / "tokenizer.json").read_text())
    known = ["good", "bad", *re.findall(r"\w+|[.,]", CANARY)]
    rules["model"]["vocab"] = {"[CLS]": 1, "[SEP]": 2} | dict.fromkeys(known, 3)
    rules["model"]["unk_token"] = "[UNK]"
    (folder / "tokenizer.json").write_text(json.dumps(rules))
    write_manifest(folder, name="words")
    Store(tmp_path).activate("words")
    with model_server(tmp_path) as server, server.client() as client:
        answer = client.post("/v1/analyze", content=b'"good"\n"unheard"\n"bad"\n', headers=LINES)
    found = [json.loads(line) for line in answer.text.splitlines()]
    assert ["label" in line for line in found] == [True, False, True]
    assert found[1]["error"]["code"] == "internal_error"
