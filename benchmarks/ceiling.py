"""What this machine can do at most in one process: no server, everything batched, both cores.

``python -m benchmarks.ceiling SECONDS`` prints what each kind of text allows: one session of one
thread on each core, texts tokenized in the same threads, several batch sizes.
Texts are taken 64 at a time and sorted by length within those, as the best batcher could do that
has 64 clients waiting.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.peers.sentiment import Sentiment
from benchmarks.servers import ASKED, model_folder
from benchmarks.texts import KINDS, texts

BATCHES: Final = (1, 4, 8, 16, 32)
WAITING: Final = 64


def measure(seconds: float) -> dict[str, Any]:
    """For each kind and batch size, texts/s and processor milliseconds a text; ``seconds`` is for
    one kind. ``answer`` is what the model says of the text that every server is asked first."""
    models = [Sentiment(1) for _ in range(len(os.sched_getaffinity(0)))]
    result: dict[str, Any] = {"answer": models[0].analyze([ASKED])[0]}
    for kind in KINDS:
        items = texts(kind, model_folder() / "tokenizer.json")
        result[kind] = {
            str(size): rate(models, batches(items, size), seconds / len(BATCHES))
            for size in BATCHES
        }
    return result


def batches(items: Sequence[str], size: int) -> list[list[str]]:
    """Batches of ``size``, each from 64 texts in order, sorted by length within those."""
    found = []
    for start in range(0, len(items), WAITING):
        waiting = sorted(items[start : start + WAITING], key=len)
        found += [waiting[at : at + size] for at in range(0, len(waiting), size)]
    return found


def rate(
    models: Sequence[Sentiment], work: Sequence[list[str]], seconds: float
) -> dict[str, float]:
    """Runs one thread for each model; texts/s and processor milliseconds a text."""
    done = [0] * len(models)
    end = time.perf_counter() + seconds

    def run(index: int) -> None:
        at = index * len(work) // len(models)
        while time.perf_counter() < end:
            batch = work[at % len(work)]
            models[index].analyze(batch)
            done[index] += len(batch)
            at += 1

    began, cpu = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(models))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    return {
        "texts_per_s": round(sum(done) / took, 1),
        "cpu_ms": round(used / max(sum(done), 1) * 1000, 3),
    }


if __name__ == "__main__":
    os.environ["BENCH_MODEL"] = str(model_folder())
    print(json.dumps(measure(float(sys.argv[1]))))
