"""What uploads are measured beside: background tasks that load their models for every picture.

``python -m benchmarks.upload_tasks one MODEL PICTURE`` is such a task in a process of its own.
"""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import PEERS, ROOT, python_of

CORES: Final = len(os.sched_getaffinity(0))
_kept: dict[str, Any] = {}


def objects(model: str, data: bytes) -> float:
    """Loads the detector, opens the picture as tutorials do, detects; the processor time taken."""
    from discern.vision.detect import load_file_detector

    began = time.process_time()
    load_file_detector(Path(model)).detect([_opened(data)])
    return time.process_time() - began


def objects_kept(model: str, data: bytes) -> float:
    """The same with the detector loaded once for the process."""
    from discern.vision.detect import load_file_detector

    if model not in _kept:
        _kept[model] = load_file_detector(Path(model))
    began = time.process_time()
    _kept[model].detect([_opened(data)])
    return time.process_time() - began


def found_by_onnxruntime(model: Path, data: bytes) -> list[dict[str, Any]]:
    """The objects in a picture, each as a dictionary."""
    from discern.vision.detect import load_file_detector

    found: list[dict[str, Any]] = (
        load_file_detector(model).detect([_opened(data)])[0].to_dict()["objects"]
    )
    return found


def everything(home: str, data: bytes) -> float:
    """Loads all three models and does with the picture what Discern does: objects, text, mood."""
    from discern.catalog.store import Store
    from discern.engine.local import LocalEngine

    began = time.process_time()
    engine = LocalEngine(Store(Path(home)))
    engine.detect_objects(data)
    text = engine.read_text(data).text
    engine.analyze([text or "nothing"])
    engine.close()
    return time.process_time() - began


def everything_kept(home: str, data: bytes) -> float:
    """The same with all three models loaded once for the process: the work itself, and nothing of
    a site. No way of serving them can do more pictures than this."""
    from discern.catalog.store import Store
    from discern.engine.local import LocalEngine

    if home not in _kept:
        _kept[home] = LocalEngine(Store(Path(home)))
    began = time.process_time()
    _kept[home].detect_objects(data)
    text = _kept[home].read_text(data).text
    if text:
        _kept[home].analyze([text])
    return time.process_time() - began


def _opened(data: bytes) -> Any:
    import numpy as np
    from PIL import Image

    from discern.vision.contract import OpenedImage

    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return OpenedImage(pixels, pixels.shape[1], pixels.shape[0], "JPEG", 1)


def at_once(
    task: Callable[[str, bytes], float], argument: Path, pictures: list[bytes]
) -> dict[str, float]:
    """As many tasks at once as there are processors, in processes that have imported and run one
    before, as a prefork worker's have."""
    # Not forked: a child would inherit the locks of this process's runtime threads.
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        list(pool.map(task, [str(argument)] * 2 * CORES, pictures[:1] * 2 * CORES))
        began = time.perf_counter()
        used = sum(pool.map(task, [str(argument)] * len(pictures), pictures))
        seconds = time.perf_counter() - began
    return rates(len(pictures), seconds, used)


def new_processes(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """Each task in a process that is started for it: the imports are part of it."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for at, data in enumerate(pictures):
            files.append(Path(folder) / f"{at}.jpg")
            files[-1].write_bytes(data)
        module = [sys.executable, "-m", "benchmarks.upload_tasks", "one", str(model)]
        began, before = time.perf_counter(), _children_s()
        for file in files:
            subprocess.run([*module, str(file)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - began
        return rates(len(files), seconds, _children_s() - before)


def tutorial(count: int) -> dict[str, float]:
    """Loading the network of the object detection pipeline of transformers in each task."""
    python = python_of("blog")
    with tempfile.TemporaryDirectory() as folder:
        program = str(PEERS / "blog_task.py")
        command = [str(python), program, folder, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    # One process did them; the machine could do as many at once as it has processors.
    return {**measured, "per_s": measured["per_s"] * CORES}


def rates(count: int, seconds: float, cpu_s: float) -> dict[str, float]:
    return {"per_s": count / seconds, "cpu_ms": 1000 * cpu_s / count}


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__" and sys.argv[1:2] == ["one"]:
    print(objects(sys.argv[2], Path(sys.argv[3]).read_bytes()))
