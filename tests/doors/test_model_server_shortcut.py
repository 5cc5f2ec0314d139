"""The short way by itself, on a loop of the test's own."""

from __future__ import annotations

import asyncio
import gc
import json
import re
from collections.abc import Sequence
from pathlib import Path

from discern.catalog.store import Store
from discern.engine.local import LocalEngine
from discern.engine.sentiment import CANARY, Question
from discern.model_server.heads import _Reader
from discern.model_server.metrics import Metrics
from discern.model_server.server import Server
from discern.model_server.settings import ModelServerSettings
from discern.model_server.shortcut import Errand, Shortcut
from tests.doors.servers import PATIENCE_S, until
from tests.doors.test_model_server_writes import on_a_loop_of_its_own
from tests.fakes.bundles import sentiment_store, write_manifest, write_sentiment_bundle


class Connection:
    """Keeps the answers it is to send."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    def reply(self, data: bytes, *, keep: bool) -> None:
        self.answers.put_nowait(data)

    def fixed_headers(self) -> Sequence[tuple[bytes, bytes]]:
        return ()


def request(body: bytes, number: int = 0) -> bytes:
    return b"POST /v1/analyze HTTP/1.1\r\nX-Number: %d\r\nContent-Length: %d\r\n\r\n%b" % (
        number, len(body), body
    )  # fmt: skip


def left_behind() -> int:
    return sum(isinstance(found, Errand | Question | _Reader) for found in gc.get_objects())


def test_a_request_leaves_nothing_to_be_searched_for(tmp_path: Path) -> None:
    engine = LocalEngine(sentiment_store(tmp_path))
    engine.sentiment()

    @on_a_loop_of_its_own
    async def many() -> None:
        shortcut = Shortcut(
            Server(ModelServerSettings(), engine, Metrics()), asyncio.get_running_loop()
        )
        connection = Connection()
        for number in range(20):
            errand = shortcut.take(connection, request(b'{"text": "good"}', number))
            assert isinstance(errand, Errand)
            if number % 2:
                answer = await asyncio.wait_for(connection.answers.get(), PATIENCE_S)
                assert answer.startswith(b"HTTP/1.1 200 OK")
            else:
                errand.forsake()
        del errand
        assert shortcut.server.in_flight == 0

    gc.collect()
    gc.disable()
    try:
        many()
        until(lambda: not left_behind())  # the worker may not be back from the last
    finally:
        gc.enable()
        engine.close()


def test_a_text_on_which_the_tokenizer_fails_takes_the_long_way(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "words" / "1.0.0"
    write_sentiment_bundle(folder)
    rules = json.loads((folder / "tokenizer.json").read_text())
    words = re.findall(r"\w+|[.,]", CANARY)
    rules["model"]["vocab"] = {"[CLS]": 1, "[SEP]": 2} | dict.fromkeys(words, 3)
    rules["model"]["unk_token"] = "[UNK]"
    (folder / "tokenizer.json").write_text(json.dumps(rules))
    write_manifest(folder, name="words")
    with LocalEngine(Store(tmp_path, shipped=tmp_path / "none")) as engine:
        engine.sentiment()

        @on_a_loop_of_its_own
        async def ask() -> None:
            shortcut = Shortcut(
                Server(ModelServerSettings(), engine, Metrics()), asyncio.get_running_loop()
            )
            assert shortcut.take(Connection(), request(b'{"text": "unknown"}')) is False
            assert shortcut.server.in_flight == 0
            errand = shortcut.take(Connection(), request(b'{"text": "canary"}'))
            assert isinstance(errand, Errand)
            errand.forsake()

        ask()
