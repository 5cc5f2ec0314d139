"""Runs the tutorial's kind of picture site (``peers/picture_site.py``) and measures it from upload
to result: gunicorn, Redis and a Celery worker at its defaults."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from benchmarks.environments import PEERS, ROOT
from benchmarks.processes import descendants, free_port, used_s
from tests.services import Redis

AT_ONCE: Final = 4
START_S: Final = 60.0


def site(
    task: str, model: Path, pictures: list[bytes], *, runtime_each: bool = False
) -> dict[str, float]:
    """Pictures per second and milliseconds of CPU for each, of all processes together.

    Args:
        task: ``objects`` or ``everything``.
        runtime_each: the runtime, not the model alone, is loaded for each task, in a child of the
            worker that serves it alone.
    """
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as folder, Redis() as broker:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PEERS), str(ROOT / "src")]),
            "PICTURE_SITE": folder,
            "PICTURE_MODEL": str(model.resolve()),
            "PICTURE_TASK": task,
            "PICTURE_BROKER": broker.url,
            "PICTURE_LOADED": "task" if runtime_each else "worker",
        }
        table = [sys.executable, "-c", "import picture_site; picture_site.make_table()"]
        subprocess.run(table, env=environment, check=True, cwd=folder)
        port = free_port()
        server = ["gunicorn", "-k", "gthread", "--threads", "8", "-b", f"127.0.0.1:{port}"]
        worker = ["celery", "-A", "picture_site", "worker", "--loglevel=ERROR"]
        if runtime_each:
            worker.append("--max-tasks-per-child=1")
        with (
            _running([*server, "picture_site:application"], environment) as web,
            _running(worker, environment) as work,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
        ):
            _wait_until_up(client)
            _upload_all(client, pictures[:1] * AT_ONCE)
            roots = [web, work, *([broker.process.pid] if broker.process else [])]
            before, cpu = time.perf_counter(), _cpu_s(roots)
            _upload_all(client, pictures)
            seconds, used = time.perf_counter() - before, _cpu_s(roots) - cpu
    return {"per_s": len(pictures) / seconds, "cpu_ms": 1000 * used / len(pictures)}


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment,
        cwd=environment["PICTURE_SITE"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_up(client: httpx.Client) -> None:
    limit = time.monotonic() + START_S
    while True:
        try:
            if client.get("/left").status_code == 200:
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > limit:
            raise TimeoutError("The picture site did not start.")
        time.sleep(0.1)


def _upload_all(client: httpx.Client, pictures: list[bytes]) -> None:
    def upload(data: bytes) -> None:
        client.post("/upload", files={"image": ("p.jpg", data)}).raise_for_status()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(upload, pictures))
    while client.get("/left").json()["left"]:
        time.sleep(0.1)


def _cpu_s(roots: list[int]) -> float:
    return sum(used_s(pid) for root in roots for pid in {root, *descendants(root)})
