"""``discern up`` as a whole: what it starts, what it survives and what it takes up."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from discern.catalog.store import SHIPPED_FOLDER
from tests.doors.conftest import Doors

pytestmark = pytest.mark.slow
MEMORY_LIMIT_MB = 600


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "never happened"
        time.sleep(0.1)


def programs(doors: Doors) -> dict[str, psutil.Process]:
    names = {"discern.web.serve": "web", "runworker": "worker", "model-server": "model-server"}
    found = {}
    for process in psutil.Process(doors.stack.pid).children():
        line: list[str] = []
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie: its end is not noticed yet
            line = process.cmdline()
        for mark, name in names.items():
            if mark in line:
                found[name] = process
    return found


def mood(doors: Doors) -> httpx.Response:
    return doors.web.post("/api/v1/analyze", json={"text": "I love it."})


def test_the_whole_product_stays_within_its_memory(doors: Doors) -> None:
    assert mood(doors).status_code == 200
    tree = [psutil.Process(doors.stack.pid)]
    tree += tree[0].children(recursive=True)
    # Shared pages are counted once, by the share each process has in them.
    used = sum(process.memory_full_info().pss for process in tree) / 2**20
    assert used < MEMORY_LIMIT_MB, f"{used:.0f} MB"


def test_the_site_and_its_worker_hold_no_model(doors: Doors) -> None:
    for name in ("web", "worker"):
        for process in [programs(doors)[name], *programs(doors)[name].children(recursive=True)]:
            mapped = {Path(region.path).name for region in process.memory_maps()}
            assert not any("onnxruntime" in library for library in mapped), name


def test_a_model_server_that_is_killed_is_back_and_the_site_says_so_meanwhile(
    doors: Doors,
) -> None:
    old = programs(doors)["model-server"]
    old.kill()
    seen: set[int] = set()

    def back() -> bool:
        response = mood(doors)
        seen.add(response.status_code)
        return response.status_code == 200 and programs(doors)["model-server"].pid != old.pid

    wait_until(back)
    assert seen <= {200, 503, 504}
    assert any("model-server | ended with SIGKILL" in line for line in clean_log(doors))


def test_an_activated_model_answers_without_a_restart(doors: Doors, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in (SHIPPED_FOLDER / "sentiment-en").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    manifest = (folder / "manifest.toml").read_text()
    name = 'name = "sentiment-en"'
    assert name in manifest
    (folder / "manifest.toml").write_text(manifest.replace(name, 'name = "mine"', 1))
    server = programs(doors)["model-server"].pid
    doors.stack.command("models", "install", str(folder), "--activate")
    wait_until(lambda: answered_by(doors) == "mine")
    doors.stack.command("models", "rollback", "sentiment-analysis")
    wait_until(lambda: answered_by(doors) == "sentiment-en")
    assert programs(doors)["model-server"].pid == server


def test_a_second_one_on_the_same_port_says_so_at_once(doors: Doors) -> None:
    with pytest.raises(AssertionError, match=f"Cannot listen on 127.0.0.1:{doors.stack.port}"):
        doors.stack.command("up", "--port", str(doors.stack.port))


def test_a_worker_that_is_killed_is_back(doors: Doors) -> None:
    old = programs(doors)["worker"].pid
    os.kill(old, signal.SIGKILL)
    wait_until(
        lambda: programs(doors).get("worker", psutil.Process()).pid not in {old, os.getpid()}
    )


def answered_by(doors: Doors) -> str:
    response = mood(doors)
    if response.status_code != 200:
        return ""
    return str(response.json()["results"][0]["model_name"])


def clean_log(doors: Doors) -> list[str]:
    import click

    return [click.unstyle(line) for line in doors.stack.log]
