"""One list of 10 from a history of 50 over 1,000,000 contents, one thread: processor time and
memory, beside a dense dot product over the same number of contents, in the same run.

``python -m benchmarks recommendations_latency [--quick]``. The catalogue is made up with a long
tail: popular contents have long rows of weights (as long as a fit allows, see
:data:`discern.recommendations.fit.MOST_IN_A_ROW`) and are in more histories.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import provenance, sentence
from benchmarks.report import number, table, write
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Interaction, RecommendationRequest
from discern.recommendations.fit import MOST_IN_A_ROW
from discern.recommendations.model import Model
from discern.recommendations.rank import Ranker
from discern.recommendations.settings import Settings

HISTORY: Final = 50
FACTORS: Final = 64
SHORTEST_ROW: Final = 32
GOALS: Final = {"p50_ms": 0.8, "p99_ms": 3.0, "peak_mb": 1000.0}


def made_up_model(size: int) -> Model:
    """Rows get shorter with the square root of their popularity's rank."""
    rng = np.random.default_rng(1)
    rank = np.arange(1, size + 1)
    lengths = np.clip(MOST_IN_A_ROW * np.sqrt(1_000 / rank), SHORTEST_ROW, MOST_IN_A_ROW)
    indptr = np.concatenate([[0], np.cumsum(lengths.astype(np.int64))])
    drawn = rng.random(int(indptr[-1]), dtype=np.float32)
    indices = np.minimum((drawn * size).astype(np.int32), size - 1)
    del drawn
    for start in range(0, size, 50_000):
        ends = indptr[start : start + 50_001]
        part = slice(int(ends[0]), int(ends[-1]))
        row = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        indices[part] = indices[part][np.lexsort((indices[part], row))]
    weights = rng.random(int(indptr[-1]), dtype=np.float32).astype(np.float16)
    popularity = (1e5 / np.sqrt(rank)).astype(np.float32)
    return Model(
        contents=tuple(map(str, range(size))),
        indptr=indptr,
        indices=indices,
        long=weights,
        short=weights.copy(),
        popularity=popularity,
        prior=popularity / popularity[0],
        settings=Settings(),
    )


def times(call: Callable[[int], object], count: int) -> dict[str, float]:
    """Percentiles of the processor's milliseconds of one call."""
    call(0)
    spent = []
    for number_ in range(count):
        started = time.thread_time()
        call(number_)
        spent.append(1000 * (time.thread_time() - started))
    p50, p99 = np.percentile(spent, [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def main() -> int:
    """Writes ``recommendations_latency.json`` and ``.md``; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_latency")
    parser.add_argument("--quick", action="store_true", help="20,000 contents: proves nothing")
    given = parser.parse_args()
    size, count = (20_000, 50) if given.quick else (1_000_000, 1_000)
    result = {"provenance": provenance("python -m benchmarks recommendations_latency")}
    with threadpool_limits(1):
        result |= measure(size, count)
    write("recommendations_latency", result, markdown(result), quick=given.quick)
    ours = {**result["discern"], "peak_mb": result["peak_mb"]}
    return 0 if given.quick or all(ours[name] <= goal for name, goal in GOALS.items()) else 1


def measure(size: int, count: int) -> dict[str, Any]:
    """Ours first: the dense way makes a matrix of its own."""
    model = made_up_model(size)
    ranker = Ranker(model, Catalogue(model.contents))
    rng = np.random.default_rng(2)
    drawn = (rng.random((count, HISTORY)) ** 2 * size).astype(int)
    requests = [
        RecommendationRequest(tuple(Interaction("x", str(i), liked=True) for i in row))
        for row in drawn
    ]
    ours = times(lambda at: ranker.recommend(requests[at]), count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    items = rng.random((size, FACTORS), dtype=np.float32)

    def dense(at: int) -> object:
        scores = items @ items[drawn[at]].mean(axis=0)
        return np.argpartition(-scores, 10)[:10]

    terms = np.diff(model.indptr)[drawn].sum(axis=1)
    return {
        "contents": size,
        "weights": int(model.indptr[-1]),
        "history": HISTORY,
        "terms_p50": float(np.median(terms)),
        "discern": ours,
        "peak_mb": peak,
        "dense_dot": times(dense, min(count, 100)),
    }


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    rows = [
        [f"**Discern**, {result['weights']:,} weights", *_cells(result["discern"])],
        [f"dense dot product, {FACTORS} factors", *_cells(result["dense_dot"])],
    ]
    return "\n\n".join(
        [
            f"# A list of 10, {result['contents']:,} contents, a history of {result['history']}",
            table(["one thread", "CPU p50, ms", "CPU p99, ms"], rows),
            f"Discern's process took {number(result['peak_mb'])} MB at its peak, the catalogue "
            f"included; half of the lists sum more than {result['terms_p50']:,.0f} weights. The "
            "dense way names no reason and filters nothing.",
            sentence(result["provenance"]),
        ]
    )


def _cells(figures: dict[str, float]) -> list[str]:
    return [number(figures["p50_ms"]), number(figures["p99_ms"])]


if __name__ == "__main__":
    sys.exit(main())
