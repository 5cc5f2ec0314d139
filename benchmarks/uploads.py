"""Pictures from upload to result, beside tasks that load their models for every picture.

The stand-ins for the usual background task (load a pipeline in the task, run it, return) are the
same ONNX file, loaded with onnxruntime in each task: as bare functions and as whole Celery sites,
with the runtime kept by the worker and with it loaded in each task too; and the same file run by
torch, which is what the tutorial's pipeline loads, with torch loaded in each task of a whole Celery
site. The tutorial's own network, which is far larger, is measured besides, with random weights.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks import upload_tasks as tasks
from benchmarks.machine import provenance, sentence
from benchmarks.processes import descendants, used_s
from benchmarks.report import number, table, write
from benchmarks.upload_sites import site, site_by_torch
from tests.stack import Stack

BY_NAME_ONLY: Final = True
FIRST_EVENT_GOAL_MS: Final = 200.0
PICKUP_GOAL_MS: Final = 100.0
DECODE_GOAL: Final = 1.3
GOAL: Final = 10.0
EVENTS: Final = 100
REST_S: Final = 0.05
"""Less processor time in half a second than this is rest; an idle stack looks for work now and
then."""


def main() -> int:
    """Writes ``uploads.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks uploads", description=__doc__)
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        action="append",
        help="a detector's ONNX file; the first serves, all are measured; may be repeated",
    )
    parser.add_argument("--images", type=Path, required=True, help="a folder of JPEG files")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    given = parser.parse_args()
    count = 10 if given.quick else given.pictures
    files = sorted(given.images.glob("*.jpg"))
    pictures = [files[at % len(files)].read_bytes() for at in range(count)]
    result: dict[str, Any] = {
        "provenance": provenance(_command(given), programs=["redis-server"]),
        "model": given.model[0].name,
        "pictures": count,
        "models": {model.name: of_model(model, pictures) for model in given.model},
        "tutorial": tasks.tutorial(2 if given.quick else 5),
    }
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as home:
        stack = Stack(Path(home))
        stack.command("models", "add", str(given.model[0]), "--name", "finder")
        result["everything"] = tasks.at_once(tasks.everything, Path(home), pictures[:20])
        result["everything_kept"] = tasks.at_once(tasks.everything_kept, Path(home), pictures)
        result["site_everything"] = site("everything", given.model[0], pictures[:40])
        with stack:
            result.update(discern(stack, pictures, EVENTS if not given.quick else 10))
    write("uploads", result, _markdown(result), quick=given.quick)
    return 0


def _command(given: argparse.Namespace) -> str:
    """Names without their folders, which are elsewhere on the next machine."""
    models = " ".join(f"--model {model.name}" for model in given.model)
    quick = " --quick" * given.quick
    return (
        f"python -m benchmarks uploads {models} --images FOLDER --pictures {given.pictures}{quick}"
    )


def of_model(model: Path, pictures: list[bytes]) -> dict[str, Any]:
    """Everything that is asked of the detector alone."""
    return {
        "loaded_in_each": tasks.at_once(tasks.objects, model, pictures),
        "new_process_each": tasks.new_processes(model, pictures[:5]),
        "kept": tasks.at_once(tasks.objects_kept, model, pictures),
        "site": site("objects", model, pictures),
        "site_runtime_each": site("objects", model, pictures[:40], each="onnxruntime"),
        "site_torch_each": site_by_torch(model, pictures[:40]),
        "discern": objects_alone(model, pictures),
        "decoding": decoding(model, pictures[:60]),
    }


def objects_alone(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """The whole way through a running Discern that is asked for objects alone."""
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as home:
        stack = Stack(Path(home))
        stack.command("models", "add", str(model), "--name", "finder")
        with stack, _client(stack) as client:
            wait_until_at_rest(stack)
            _all_of(client, stack, pictures[:8], "objects")
            return _all_of(client, stack, pictures * 2, "objects")


@contextlib.contextmanager
def _client(stack: Stack) -> Iterator[httpx.Client]:
    key = stack.command("key", "create", "demo", "--name", "benchmark").split()[-1]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stack.address, headers=headers, timeout=120) as client:
        yield client


def decoding(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """CPU from the file, and from the opened picture, to its objects, over the model's alone."""
    import numpy as np

    from discern.inference.session import open_session
    from discern.vision.detect import load_file_detector
    from discern.vision.detectors.prepare import prepare
    from discern.vision.images import open_image

    detector = load_file_detector(model)
    session = open_session(model, threads=1)
    name, how = session.inputs[0].name, detector.family.preparation
    opened = [open_image(data, max_side=detector.working_side) for data in pictures]
    # Its processes' time is told in hundredths of a second only: all of them together it must be.
    helpers = descendants(os.getpid())
    before = time.process_time() + sum(map(used_s, helpers))
    for data in pictures:
        open_image(data, max_side=detector.working_side)
    opening = (time.process_time() + sum(map(used_s, helpers)) - before) / len(pictures)
    whole, bare = [], []
    for image in opened:
        feed = np.stack([prepare(image, detector.size, how)[0]])
        cpu = time.process_time()
        detector.detect([image])
        middle = time.process_time()
        session.run({name: feed})
        whole.append(middle - cpu)
        bare.append(time.process_time() - middle)
    return {
        "opening_cpu_ms": 1000 * opening,
        "whole_cpu_ms": 1000 * statistics.median(whole),
        "model_cpu_ms": 1000 * statistics.median(bare),
        "ratio": statistics.median(whole) / statistics.median(bare),
        "ratio_from_file": (statistics.median(whole) + opening) / statistics.median(bare),
    }


def discern(stack: Stack, pictures: list[bytes], events: int) -> dict[str, Any]:
    """The whole way through a running Discern, first idle and then under load."""
    with _client(stack) as client:
        wait_until_at_rest(stack)
        upload(client, pictures[0])
        wait_until_idle(client)
        waits, pickups = first_events(
            client, [pictures[at % len(pictures)] for at in range(events)]
        )
        whole = _all_of(client, stack, pictures, "objects,text")
        failed = client.get("/api/v1/uploads?state=failed&page_size=1").json()["results"]
    return {
        "discern": whole,
        "failed": bool(failed),
        "first_event_ms": _spread(waits),
        "pickup_ms": _spread(pickups),
    }


def _all_of(
    client: httpx.Client, stack: Stack, pictures: list[bytes], find: str
) -> dict[str, float]:
    before, cpu = time.perf_counter(), _cpu_s(stack)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda data: upload(client, data, find), pictures))
    wait_until_idle(client)
    return tasks.rates(len(pictures), time.perf_counter() - before, _cpu_s(stack) - cpu)


def first_events(client: httpx.Client, pictures: list[bytes]) -> tuple[list[float], list[float]]:
    """Milliseconds from before an upload to its first progress event, and from its row to its
    worker; one at a time, the site being idle before each."""
    waits, pickups = [], []
    for data in pictures:
        began = time.perf_counter()
        row = upload(client, data)
        with client.stream("GET", row["links"]["events"]) as stream:
            for line in stream.iter_lines():
                if line.startswith("event: progress"):
                    waits.append(1000 * (time.perf_counter() - began))
                    break
        wait_until_idle(client)
        pickups.append(_pickup_ms(client.get(row["links"]["self"]).json()))
    return waits, pickups


def _pickup_ms(row: dict[str, Any]) -> float:
    started, created = (datetime.fromisoformat(row[name]) for name in ("started_at", "created_at"))
    return 1000 * (started - created).total_seconds()


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": statistics.median(ordered),
        "p99": ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))],
        "samples": len(ordered),
    }


def upload(client: httpx.Client, data: bytes, find: str = "objects,text") -> dict[str, Any]:
    address = f"/api/v1/uploads?find={find}"
    response = client.post(address, files={"files": ("p.jpg", data)})
    response.raise_for_status()
    row: dict[str, Any] = response.json()["uploads"][0]
    return row


def wait_until_idle(client: httpx.Client) -> None:
    """Until no upload is under way."""
    for state in ("queued", "processing", "queued"):
        while client.get(f"/api/v1/uploads?state={state}&page_size=1").json()["results"]:
            time.sleep(0.1)


def wait_until_at_rest(stack: Stack) -> None:
    """Until a started stack does nothing: at first its reading room is learned from, for seconds of
    processor time that no picture is to blame for."""
    quiet = 0
    while quiet < 3:
        before = _cpu_s(stack)
        time.sleep(0.5)
        quiet = quiet + 1 if _cpu_s(stack) - before < REST_S else 0


def _cpu_s(stack: Stack) -> float:
    """What the stack's processes and their ended children have used."""
    return sum(used_s(pid) for pid in {stack.pid, *descendants(stack.pid)})


def _markdown(result: dict[str, Any]) -> str:
    own = result["discern"]
    rows = [
        (f"{name}: {title}", of[key], of["discern"])
        for name, of in result["models"].items()
        for key, title in _OBJECTS
    ]
    rows += [
        (title, result[key], own)
        for key, title in (
            ("site_everything", "a Celery site, all three models loaded in each task"),
            ("everything", "Discern's three models loaded in each task"),
            ("everything_kept", "Discern's three models kept loaded"),
            ("discern", "**Discern**, upload to result"),
        )
    ]
    first = next(iter(result["models"].values()))["discern"]
    tutorial = "the tutorial's network (DETR, random weights), loaded in each task"
    rows.insert(len(rows) - 4, (tutorial, result["tutorial"], first))
    event, pickup = result["first_event_ms"], result["pickup_ms"]
    lines = [
        "# Uploads",
        "",
        f"{result['pictures']} photographs; Discern serves {result['model']}. The tasks stand in "
        "for one that loads its pipeline each time: the same ONNX files, loaded with onnxruntime "
        f"in every task, {tasks.CORES} at once (new processes one after the other), all imports "
        "done before except where a process is new, and nothing stored or sent. The Celery sites "
        "are whole: the view that stores the file and sends a task, Redis, a worker at Celery's "
        "defaults, the text reader as its package's documentation starts it "
        "(`benchmarks/peers/picture_site.py`). Two rows stand in for the blog's task, which loads "
        "its pipeline each time. 'Onnxruntime and model' means that the task imports onnxruntime "
        "too, in a child of the worker that serves one task. 'Torch and model' means that such a "
        "task imports torch instead, which is what the blog's pipeline runs on, and onnx2torch, "
        "which makes a torch network of the same file (`benchmarks/peers/torch_detector.py`); it "
        "is timed only after its objects in five photographs were those of onnxruntime. Discern's "
        "rows are whole as well: HTTP, storing, cleaning, thumbnail, what was asked for, and the "
        "CPU of every process, from the moment the site is at rest.",
        "",
        table(
            ["", "pictures/s", "CPU ms a picture", "Discern: pictures/s x", "Discern: CPU x less"],
            [_beside(*row) for row in rows],
        ),
        "",
        "The rows that begin with a detector find objects alone, the last four objects, text and "
        f"the text's mood. Goal: {GOAL:g} times the task that loads its runtime and the model.",
        "",
        *_goal(result),
        table(
            ["detector", "model CPU ms", "opened to result, x", "file to result, x"],
            [_decoded(name, of["decoding"]) for name, of in result["models"].items()],
        ),
        "",
        f"Goal {DECODE_GOAL:g}. Opening a photograph costs what decoding its JPEG does, whatever "
        "the model.",
        "",
        _waits("From upload to first progress event", event, FIRST_EVENT_GOAL_MS),
        _waits("From stored to in a worker's hands", pickup, PICKUP_GOAL_MS),
        "",
        sentence(result["provenance"]),
    ]
    return "\n".join(lines)


_OBJECTS: Final = (
    ("loaded_in_each", "loaded in each task, nothing else"),
    ("new_process_each", "a new process for each task, nothing else"),
    ("kept", "kept loaded, nothing else"),
    ("site", "a Celery site, model loaded in each task"),
    ("site_runtime_each", "a Celery site, onnxruntime and model loaded in each task"),
    ("site_torch_each", "a Celery site, torch and model loaded in each task"),
    ("discern", "**Discern**, upload to result"),
)


def _goal(result: dict[str, Any]) -> list[str]:
    lines = []
    for key, runtime in (("site_runtime_each", "onnxruntime"), ("site_torch_each", "torch")):
        told = []
        for name, of in result["models"].items():
            if refused := of[key].get("refused"):
                told.append(f"{name} not measured ({refused})")
            else:
                told.append(f"{name} {number(of['discern']['per_s'] / of[key]['per_s'])} times")
        lines += [
            f"Beside the site whose task loads {runtime} and the model: {', '.join(told)}.",
            "",
        ]
    return lines


def _beside(title: str, rates: dict[str, Any], own: dict[str, float]) -> list[str]:
    if "refused" in rates:
        return [title, "-", "-", "-", "-"]
    faster = own["per_s"] / rates["per_s"]
    cheaper = rates["cpu_ms"] / own["cpu_ms"]
    return [title, *map(number, (rates["per_s"], rates["cpu_ms"], faster, cheaper))]


def _decoded(name: str, of: dict[str, float]) -> list[str]:
    return [name, *map(number, (of["model_cpu_ms"], of["ratio"], of["ratio_from_file"]))]


def _waits(what: str, spread: dict[str, float], goal_ms: float) -> str:
    return (
        f"{what}, idle, embedded worker: p50 {number(spread['p50'])} ms, p99 "
        f"{number(spread['p99'])} ms of {spread['samples']:g} (goal {goal_ms:g} ms).\n"
    )


if __name__ == "__main__":
    sys.exit(main())
