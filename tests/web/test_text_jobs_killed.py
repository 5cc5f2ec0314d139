"""Files of texts read by real workers that are killed."""

from __future__ import annotations

import csv
import io
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from discern.engine.interface import ModelInfo
from discern.text.contract import Sentiment
from discern.web.text import files
from tests.fakes.engine import WordEngine
from tests.web.live import LiveSite
from tests.web.test_text_jobs import URL, numbered


class SlowJournal:
    """An engine that takes its time and writes down every text it was asked, in a file that
    outlives the process."""

    def __init__(self) -> None:
        self._path = Path(os.environ["DISCERN_TEST_JOURNAL"])
        self._inner = WordEngine()

    def analyze(self, texts: Sequence[str], **_: Any) -> list[Sentiment]:
        moods = self._inner.analyze(texts)
        with self._path.open("a") as journal:
            journal.writelines(f"{text}\n" for text in texts)
        time.sleep(0.15)
        return moods

    def models(self) -> list[ModelInfo]:
        return self._inner.models()

    def ready(self) -> bool:
        return True

    def close(self) -> None:
        return


@pytest.fixture
def slow_site(tmp_path: Path) -> Iterator[LiveSite]:
    settings = {
        "DISCERN_TEST_ENGINE": f"{__name__}.SlowJournal",
        "DISCERN_TEST_JOURNAL": str(tmp_path / "journal"),
        "DISCERN_JOB_LEASE_S": "1",
    }
    with LiveSite(tmp_path, settings=settings) as site:
        yield site


@pytest.mark.slow
def test_real_workers_killed_at_any_moment_lose_nothing_and_repeat_no_finished_chunk(
    slow_site: LiveSite, tmp_path: Path
) -> None:
    chunks, kills = 10, 2
    count = chunks * files.CHUNK_ROWS
    with slow_site.client() as client:
        sent = client.post(URL, files={"file": ("t.csv", numbered(count).encode())})
        assert sent.status_code == 202
        url = sent.json()["links"]["self"]
        for _ in range(kills):
            before = client.get(url).json()["progress"]["done"]
            worker = slow_site.start("discern.web", "runworker")
            _wait(lambda before=before: client.get(url).json()["progress"]["done"] > before)
            slow_site.end(worker, signal.SIGKILL)
        slow_site.start("discern.web", "runworker")
        _wait(lambda: client.get(url).json()["state"] == "done")
        done = client.get(url).json()
        result = client.get(done["links"]["result"]).text
    assert done["distribution"]["positive"] == count
    rows = list(csv.DictReader(io.StringIO(result)))
    assert [row["text"] for row in rows] == numbered(count).splitlines()[1:]
    # Only the chunk in a killed worker's hands may have been read twice.
    read = (tmp_path / "journal").read_text().splitlines()
    assert count <= len(read) <= count + kills * files.CHUNK_ROWS


def _wait(condition: Any, *, within_s: float = 60.0) -> None:
    limit = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.05)
