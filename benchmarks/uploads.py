"""Pictures from upload to result, beside a task that loads its model for every picture.

The stand-in for the usual background task (load a pipeline inside the task, run it, return) is the
same ONNX file loaded with onnxruntime in each task, in a process that has imported everything
already: kinder than a framework that loads a larger model the same way.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.machine import command_line, provenance, sentence
from benchmarks.processes import descendants
from benchmarks.report import number, table, write
from tests.stack import Stack

BY_NAME_ONLY: Final = True
FIRST_EVENT_GOAL_MS: Final = 200.0
DECODE_GOAL: Final = 1.3
GOAL: Final = 10.0


def main() -> int:
    """Writes ``uploads.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks uploads", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="a detector's ONNX file")
    parser.add_argument("--images", type=Path, required=True, help="a folder of JPEG files")
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="a small run that proves nothing")
    given = parser.parse_args()
    count = 10 if given.quick else given.pictures
    files = sorted(given.images.glob("*.jpg"))
    pictures = [files[at % len(files)].read_bytes() for at in range(count)]
    result: dict[str, Any] = {
        "provenance": provenance(command_line("uploads")),
        "model": given.model.name,
        "pictures": count,
        "per_task": per_task(given.model, pictures),
        "kept": kept(given.model, pictures),
        "decoding": decoding(given.model, pictures),
    }
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as home:
        stack = Stack(Path(home))
        stack.command("models", "add", str(given.model), "--name", "finder")
        result["per_task_all"] = per_task_all(Path(home), pictures[:30])
        with stack:
            result.update(discern(stack, pictures))
    write("uploads", result, _markdown(result), quick=given.quick)
    return 0


def per_task(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """Opens, loads, detects for each picture, one after the other."""
    from discern.vision.detect import load_file_detector
    from discern.vision.images import open_image

    load_file_detector(model)  # so that imports are not counted
    began, cpu = time.perf_counter(), time.process_time()
    for data in pictures:
        detector = load_file_detector(model)
        detector.detect([open_image(data, max_side=detector.working_side)])
    return _rates(len(pictures), time.perf_counter() - began, time.process_time() - cpu)


def kept(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """The same with the detector loaded once."""
    from discern.vision.detect import load_file_detector
    from discern.vision.images import open_image

    detector = load_file_detector(model)
    began, cpu = time.perf_counter(), time.process_time()
    for data in pictures:
        detector.detect([open_image(data, max_side=detector.working_side)])
    return _rates(len(pictures), time.perf_counter() - began, time.process_time() - cpu)


def per_task_all(home: Path, pictures: list[bytes]) -> dict[str, float]:
    """As much as Discern does with a picture, all models loaded for each."""
    from discern.catalog.store import Store
    from discern.engine.local import LocalEngine

    def task(data: bytes) -> None:
        engine = LocalEngine(Store(home))
        engine.detect_objects(data)
        text = engine.read_text(data).text
        engine.analyze([text or "nothing"])
        engine.close()

    task(pictures[0])
    began, cpu = time.perf_counter(), time.process_time()
    for data in pictures:
        task(data)
    return _rates(len(pictures), time.perf_counter() - began, time.process_time() - cpu)


def decoding(model: Path, pictures: list[bytes]) -> dict[str, float]:
    """CPU from an opened picture to its objects, over that of the model alone."""
    import numpy as np

    from discern.inference.session import open_session
    from discern.vision.detect import load_file_detector
    from discern.vision.detectors.prepare import prepare
    from discern.vision.images import open_image

    detector = load_file_detector(model)
    opened = [open_image(data, max_side=detector.working_side) for data in pictures]
    feeds = [
        np.stack([prepare(image, detector.size, detector.family.preparation)[0]])
        for image in opened
    ]
    session = open_session(model, threads=1)
    name = session.inputs[0].name
    whole, bare = [], []
    for image, feed in zip(opened, feeds, strict=True):
        cpu = time.process_time()
        detector.detect([image])
        middle = time.process_time()
        session.run({name: feed})
        whole.append(middle - cpu)
        bare.append(time.process_time() - middle)
    return {
        "whole_cpu_ms": 1000 * statistics.median(whole),
        "model_cpu_ms": 1000 * statistics.median(bare),
        "ratio": statistics.median(whole) / statistics.median(bare),
    }


def discern(stack: Stack, pictures: list[bytes]) -> dict[str, Any]:
    """The whole way through a running Discern, and its engine alone."""
    key = stack.command("key", "create", "demo", "--name", "benchmark").split()[-1]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=stack.address, headers=headers, timeout=120) as client:
        upload(client, pictures[0])
        wait_for_all(client, 1)
        events = first_events(client, pictures[:30])
        wait_for_all(client, 1 + len(events))
        before, cpu = time.perf_counter(), _cpu_s(stack)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda data: upload(client, data), pictures))
        done = wait_for_all(client, 1 + len(events) + len(pictures))
        whole = _rates(len(pictures), time.perf_counter() - before, _cpu_s(stack) - cpu)
    states = [row["state"] for row in done]
    return {
        "discern": whole,
        "not_done": len(states) - states.count("done"),
        "first_event_ms": {
            "p50": statistics.median(events),
            "p99": sorted(events)[min(len(events) - 1, int(0.99 * len(events)))],
            "samples": len(events),
        },
    }


def first_events(client: httpx.Client, pictures: list[bytes]) -> list[float]:
    """Milliseconds from before an upload to its first progress event, one at a time."""
    waits = []
    for data in pictures:
        began = time.perf_counter()
        row = upload(client, data)
        with client.stream("GET", row["links"]["events"]) as stream:
            for line in stream.iter_lines():
                if line.startswith("event:"):
                    waits.append(1000 * (time.perf_counter() - began))
                    break
        while client.get(row["links"]["self"]).json()["state"] in {"queued", "processing"}:
            time.sleep(0.1)
    return waits


def upload(client: httpx.Client, data: bytes) -> dict[str, Any]:
    response = client.post("/api/v1/uploads", files={"files": ("p.jpg", data)})
    response.raise_for_status()
    row: dict[str, Any] = response.json()["uploads"][0]
    return row


def wait_for_all(client: httpx.Client, count: int) -> list[dict[str, Any]]:
    """Every upload, once none is under way."""
    while True:
        rows: list[dict[str, Any]] = []
        address: str | None = "/api/v1/uploads?page_size=200"
        while address:
            page = client.get(address).json()
            rows, address = rows + page["results"], page["next"]
        ended = [row for row in rows if row["state"] in {"done", "failed", "dead"}]
        if len(ended) >= count:
            return ended
        time.sleep(0.25)


def _cpu_s(stack: Stack) -> float:
    """What the stack's processes have used; those that ended are left out."""
    used = 0.0
    for pid in {stack.pid, *descendants(stack.pid)}:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        used += (int(fields[11]) + int(fields[12])) / 100
    return used


def _rates(count: int, seconds: float, cpu_s: float) -> dict[str, float]:
    return {"per_s": count / seconds, "cpu_ms": 1000 * cpu_s / count}


def _markdown(result: dict[str, Any]) -> str:
    all_three, own, decoded = result["per_task_all"], result["discern"], result["decoding"]
    event = result["first_event_ms"]
    rows = [
        [title, number(rates["per_s"]), number(rates["cpu_ms"])]
        for title, rates in (
            ("task that loads the detector; objects only", result["per_task"]),
            ("the detector kept loaded; objects only", result["kept"]),
            ("task that loads all three models; objects, text, mood", all_three),
            ("Discern; upload to objects, text, mood", own),
        )
    ]
    return "\n".join(
        [
            "# Uploads",
            "",
            f"{result['pictures']} photographs, {result['model']}. The tasks stand in for one that "
            "loads its pipeline each time: the same ONNX files, loaded with onnxruntime in every "
            "task, and nothing stored. Discern's row is the whole way: HTTP, storing, cleaning, "
            "thumbnail, objects, text, mood, and the CPU of every process.",
            "",
            table(["", "pictures/s", "CPU ms a picture"], rows),
            "",
            f"Pictures/s, Discern over the task that does as much: "
            f"{number(own['per_s'] / all_three['per_s'])}; CPU a picture, the task over Discern: "
            f"{number(all_three['cpu_ms'] / own['cpu_ms'])} (goal {GOAL:g}).",
            f"Decode to result over the bare model's CPU: {number(decoded['ratio'])} "
            f"({number(decoded['whole_cpu_ms'])} over {number(decoded['model_cpu_ms'])} ms; goal "
            f"{DECODE_GOAL:g}).",
            f"From upload to first progress event when idle: p50 {number(event['p50'])} ms, p99 "
            f"{number(event['p99'])} ms of {event['samples']} (goal {FIRST_EVENT_GOAL_MS:g} ms).",
            "",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
