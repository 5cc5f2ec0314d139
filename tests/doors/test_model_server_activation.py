"""Another model activated by the command, beside a model server that runs: who answers next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from discern.catalog.pull import add
from discern.catalog.store import Store
from tests.doors.servers import RunningServer, model_server, until
from tests.doors.test_pictures import blob
from tests.fakes.bundles import sentiment_store, write_sentiment_bundle
from tests.fakes.make_detector import write_detector

ANSWERS_IN_A_ROW = 8
"""A connection each: of two processes, both are asked."""


def discern(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "discern.cli", *arguments],
        env=os.environ | {"DISCERN_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def add_detector(home: Path, name: str, label: str) -> None:
    model = home / f"{name}.onnx"
    write_detector(model)
    add(
        model,
        name=name,
        task="object-detection",
        labels=(label,),
        preprocessing={"family": "fastestdet"},
        store=Store(home),
    )


def mood(client: httpx.Client) -> str:
    answer = client.post("/v1/analyze", json={"text": "good"})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["model"]["name"])


def objects(client: httpx.Client) -> str:
    answer = client.post("/v1/detect-objects?threshold=0.3", content=blob())
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert {item["label"] for item in found["objects"]} == {f"from {found['model']['name']}"}
    return str(found["model"]["name"])


def becomes(server: RunningServer, ask: Callable[[httpx.Client], str], name: str) -> None:
    """Hangs up, and waits until every process answers by that model; none may fail meanwhile."""
    server.process.send_signal(signal.SIGHUP)

    def all_are() -> bool:
        for _ in range(ANSWERS_IN_A_ROW):
            with server.client() as client:
                if ask(client) != name:
                    return False
        return True

    until(all_are, server)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_activated_detector_answers_the_next_pictures_and_a_rollback_brings_the_old_one_back(
    tmp_path: Path, workers: int
) -> None:
    for name in ("first", "second"):
        add_detector(tmp_path, name, f"from {name}")
    discern(tmp_path, "models", "activate", "first")
    with model_server(tmp_path, workers=workers, tasks="object-detection") as server:
        becomes(server, objects, "first")
        discern(tmp_path, "models", "activate", "second")
        becomes(server, objects, "second")
        discern(tmp_path, "models", "rollback", "object-detection")
        becomes(server, objects, "first")


def test_a_detector_that_only_the_first_picture_loaded_is_followed_too(tmp_path: Path) -> None:
    sentiment_store(tmp_path)
    for name in ("first", "second"):
        add_detector(tmp_path, name, f"from {name}")
    discern(tmp_path, "models", "activate", "words")
    discern(tmp_path, "models", "activate", "first")
    with model_server(tmp_path, tasks="sentiment-analysis") as server:
        with server.client() as client:
            assert objects(client) == "first"
        discern(tmp_path, "models", "activate", "second")
        becomes(server, objects, "second")


def test_an_activated_sentiment_model_answers_the_next_texts_and_a_rollback_brings_the_old_one_back(
    tmp_path: Path,
) -> None:
    sentiment_store(tmp_path)
    write_sentiment_bundle(tmp_path / "models" / "other" / "1.0.0", name="other")
    discern(tmp_path, "models", "activate", "words")
    with model_server(tmp_path) as server:
        becomes(server, mood, "words")
        discern(tmp_path, "models", "activate", "other")
        becomes(server, mood, "other")
        discern(tmp_path, "models", "rollback", "sentiment-analysis")
        becomes(server, mood, "words")


def test_a_server_told_to_keep_a_model_keeps_it_and_stays_ready_when_another_is_activated(
    tmp_path: Path,
) -> None:
    sentiment_store(tmp_path)
    write_sentiment_bundle(tmp_path / "models" / "other" / "1.0.0", name="other")
    discern(tmp_path, "models", "activate", "words")
    with model_server(tmp_path, models="words") as server, server.client() as client:
        discern(tmp_path, "models", "activate", "other")
        becomes(server, mood, "other")
        assert client.get("/health/ready").status_code == 200
        named = client.post("/v1/analyze", json={"text": "good", "model": "words"})
        assert named.json()["model"]["name"] == "words"
