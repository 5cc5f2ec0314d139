"""Runs the tutorial's kind of picture site (``peers/picture_site.py``) and measures it from upload
to result: gunicorn, Redis and a Celery worker at its defaults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import httpx

from benchmarks.environments import PEERS, ROOT, python_of
from benchmarks.processes import descendants, free_port, used_s
from benchmarks.upload_tasks import found_by_onnxruntime
from discern.vision.contract import DEFAULT_THRESHOLD
from tests.services import Redis

AT_ONCE: Final = 4
START_S: Final = 60.0
SURE: Final = 0.01
"""How much of a score, in 0 to 1, two runtimes may differ by, and how close to the threshold an
object may be found by one of them alone."""

NEAR: Final = 1.0
"""How far apart, in pixels, the sides of one object's two boxes may be."""

Runtime: TypeAlias = Literal["onnxruntime", "torch"]
Objects: TypeAlias = list[dict[str, Any]]


def site(
    task: str, model: Path, pictures: list[bytes], *, each: Runtime | None = None
) -> dict[str, float]:
    """Pictures per second and milliseconds of CPU for each, of all processes together.

    Args:
        task: ``objects`` or ``everything``.
        each: the runtime that is loaded for each task too, and not the model alone, in a child of
            the worker that serves it alone. None: onnxruntime, loaded by the worker.
    """
    python = str(python_of("torch")) if each == "torch" else sys.executable
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as folder, Redis() as broker:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PEERS), str(ROOT / "src")]),
            "PICTURE_SITE": folder,
            "PICTURE_MODEL": str(model.resolve()),
            "PICTURE_TASK": task,
            "PICTURE_BROKER": broker.url,
            "PICTURE_LOADED": "task" if each else "worker",
            "PICTURE_RUNTIME": each or "onnxruntime",
        }
        table = [python, "-c", "import picture_site; picture_site.make_table()"]
        subprocess.run(table, env=environment, check=True, cwd=folder)
        port = free_port()
        server = [
            python,
            "-m",
            "gunicorn",
            "-k",
            "gthread",
            "--threads",
            "8",
            "-b",
            f"127.0.0.1:{port}",
        ]
        worker = [python, "-m", "celery", "-A", "picture_site", "worker", "--loglevel=ERROR"]
        if each:
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


def site_by_torch(model: Path, pictures: list[bytes], checked: int = 5) -> dict[str, Any]:
    """As :func:`site` with torch, its converter and the model loaded in each task; or, under
    ``refused``, why that would not be the same work."""
    try:
        found = _found_by_torch(model, pictures[:checked])
    except subprocess.CalledProcessError as error:
        last = str(error.stderr).strip().rpartition("\n")[2]
        return {"refused": f"torch does not run the file: {last}"}
    for objects, data in zip(found, pictures[:checked], strict=True):
        if reason := difference(objects, found_by_onnxruntime(model, data)):
            return {"refused": f"torch finds something else: {reason}"}
    return site("objects", model, pictures, each="torch")


def difference(one: Objects, other: Objects) -> str:
    """What keeps two runtimes' objects of a picture from being the same; empty if nothing does."""
    for mine, others in ((one, other), (other, one)):
        for item in mine:
            near = (
                abs(item["score"] - its["score"]) <= SURE
                and all(abs(item["box"][side] - its["box"][side]) <= NEAR for side in item["box"])
                for its in others
                if its["label"] == item["label"]
            )
            if item["score"] > DEFAULT_THRESHOLD + SURE and not any(near):
                return f"{item['label']} of {item['score']:.3f} by one of them alone"
    return ""


def _found_by_torch(model: Path, pictures: list[bytes]) -> list[Objects]:
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as folder:
        files = [Path(folder) / f"{at}.jpg" for at in range(len(pictures))]
        for file, data in zip(files, pictures, strict=True):
            file.write_bytes(data)
        done = subprocess.run(
            [python_of("torch"), PEERS / "torch_detector.py", model.resolve(), *files],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            check=True,
            capture_output=True,
            text=True,
        )
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command,
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
