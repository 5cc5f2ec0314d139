"""A bell wakes who listens on this machine at once, and whoever died costs nobody anything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from discern.web.jobs.bells import Listener, Watch, ring

BELL = "tested"
LISTEN = """
import sys
from pathlib import Path
from types import SimpleNamespace
from django.conf import settings
settings.configure(ENVIRONMENT=SimpleNamespace(home=Path(sys.argv[1])))
from discern.web.jobs.bells import Listener
listener = Listener("tested")
print("listening", flush=True)
print("rung" if listener.wait(30) else "nothing", flush=True)
listener.wait(None)
"""


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> Path:
    settings.ENVIRONMENT = SimpleNamespace(home=tmp_path)
    return tmp_path


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener(BELL)
    yield made
    made.close()


def pipes(home: Path) -> list[Path]:
    return list((home / "bells" / BELL).iterdir())


def test_every_listener_hears_a_ring_that_came_before_or_while_it_waits(listener: Listener) -> None:
    other = Listener(BELL)
    ring(BELL)
    assert listener.wait(5)
    assert other.wait(5)
    assert not listener.wait(0.01)
    threading.Timer(0.1, ring, [BELL]).start()
    assert listener.wait(5)
    other.close()


def test_a_thousand_rings_that_nobody_hears_block_nobody_and_wake_once(listener: Listener) -> None:
    for _ in range(1000):
        ring(BELL)
    assert listener.wait(0)
    assert not listener.wait(0)


def test_another_process_is_woken_and_once_killed_its_pipe_is_removed(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LISTEN, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "listening\n"
    ring(BELL)
    assert process.stdout.readline() == "rung\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert len(pipes(home)) == 1
    ring(BELL)
    assert pipes(home) == []


def test_a_closed_listener_leaves_no_pipe_and_may_still_be_poked(home: Path) -> None:
    listener = Listener(BELL)
    listener.close()
    listener.poke()
    assert pipes(home) == []


def test_without_a_folder_to_write_to_it_still_can_be_poked(home: Path) -> None:
    (home / "bells").write_text("no folder")
    listener = Listener(BELL)
    ring(BELL)
    assert not listener.wait(0.01)
    listener.poke()
    assert listener.wait(5)
    listener.close()


def test_many_threads_wait_for_one_bell_and_none_misses_a_ring_between_looking_and_waiting() -> (
    None
):
    watch = Watch(BELL)
    seen = watch.rung
    ring(BELL)
    began = time.monotonic()
    threads = [threading.Thread(target=watch.wait, args=(seen, 20)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 15
