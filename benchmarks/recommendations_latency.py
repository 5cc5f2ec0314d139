"""One list of 10 from a history of 50 over 1,000,000 contents, one thread: time and memory, beside
a dense dot product over the same number of contents, in the same run."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Interaction, RecommendationRequest
from discern.recommendations.model import Model
from discern.recommendations.rank import Ranker
from discern.recommendations.settings import Settings

RESULT = Path(__file__).parent / "results" / "recommendations_latency.json"
COMMAND = "python -m benchmarks recommendations_latency"
HISTORY = 50
WEIGHTS_A_ROW = 64
FACTORS = 64


def made_up_model(size: int) -> Model:
    """Weights of a long-tailed catalogue: every row has the same number, the columns are drawn
    with a chance that falls with the square root of their rank."""
    rng = np.random.default_rng(1)
    shape = (size, WEIGHTS_A_ROW)
    indices = np.sort((rng.random(shape, dtype=np.float32) ** 2 * size).astype(np.int32), axis=1)
    weights = rng.random(size * WEIGHTS_A_ROW, dtype=np.float32).astype(np.float16)
    popularity = (1e5 / np.sqrt(np.arange(1, size + 1))).astype(np.float32)
    return Model(
        contents=tuple(map(str, range(size))),
        indptr=np.arange(size + 1, dtype=np.int64) * WEIGHTS_A_ROW,
        indices=np.minimum(indices, size - 1).ravel(),
        long=weights,
        short=weights,
        popularity=popularity,
        prior=popularity / popularity[0],
        settings=Settings(),
    )


def times(call: Callable[[int], object], count: int) -> dict[str, float]:
    """Percentiles in milliseconds by the wall clock, and the processor's time for each call."""
    call(0)
    spent = []
    processor = time.process_time()
    for number in range(count):
        started = time.perf_counter()
        call(number)
        spent.append(1000 * (time.perf_counter() - started))
    processor = time.process_time() - processor
    p50, p99 = np.percentile(spent, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99), "cpu_ms": 1000 * processor / count}


def main() -> None:
    """Runs and, unless ``--quick``, writes the result."""
    quick = "--quick" in sys.argv
    size, count = (20_000, 50) if quick else (1_000_000, 400)
    model = made_up_model(size)
    ranker = Ranker(model, Catalogue(model.contents))
    rng = np.random.default_rng(2)
    drawn = (rng.random((count, HISTORY)) ** 2 * size).astype(int)
    requests = [
        RecommendationRequest(tuple(Interaction("x", str(i), liked=True) for i in row))
        for row in drawn
    ]
    with threadpool_limits(1):
        ours = times(lambda number: ranker.recommend(requests[number]), count)
        # Before the dense baseline makes its own matrix.
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        items = rng.random((size, FACTORS), dtype=np.float32)

        def dense(number: int) -> object:
            scores = items @ items[drawn[number]].mean(axis=0)
            return np.argpartition(-scores, 10)[:10]

        theirs = times(dense, min(count, 100))
    result = {
        "command": COMMAND,
        "contents": size,
        "weights": int(model.indptr[-1]),
        "history": HISTORY,
        "sparse_rows": ours,
        "peak_mb": memory,
        "dense_dot_64_factors": theirs,
        "load_average": os.getloadavg()[0],
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if not quick:
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
