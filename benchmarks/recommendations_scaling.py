"""How time and memory of a fit grow up to 20 million interactions with 100,000 contents, beside
implicit's ALS on the same data in the same run.

``python -m benchmarks recommendations_scaling [--whole] [--quick]``. The data are made up with a
long tail of contents and of people, and topics. Columns of weights are solved one by one and
independently, so a fit's time is measured on a sample of them drawn by chance, everything else in
full; ``--whole`` also fits the smallest size whole, to show how near that comes. Each fit runs in a
process of its own on one thread, its peak memory is that process's.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import scipy.sparse as sp

from benchmarks import plots
from benchmarks.environments import ROOT
from benchmarks.machine import provenance, sentence
from benchmarks.recommendations_rivals import run_implicit
from benchmarks.report import folder, number, table, write
from discern.recommendations.fit import assemble, fit_model, gram_of, ridges
from discern.recommendations.settings import Settings, neighbours_for
from discern.recommendations.solve import solve_columns, to_rows

BY_NAME_ONLY: Final = True
SIZES: Final = ((2_000_000, 10_500), (6_300_000, 32_000), (20_000_000, 100_000))
QUICK: Final = ((20_000, 400), (60_000, 800))
SAMPLE: Final = 1_000
TOPICS: Final = 50
ALS: Final = {"factors": 64, "regularization": 0.05, "iterations": 15}
LIKES_A_PERSON: Final = 100
DRAWN: Final = 1.25
"""Draws for each interaction wanted: the same is drawn twice now and then."""


def main() -> int:
    """Writes ``recommendations_scaling.json``, ``.md`` and ``.svg``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_scaling")
    parser.add_argument("--quick", action="store_true", help="small sizes: prove nothing")
    parser.add_argument("--whole", action="store_true", help="fit the smallest size whole, too")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--sample", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.fit:
        print(json.dumps(fitted(given.fit, given.sample)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as name:
        for at, (interactions, contents) in enumerate(QUICK if given.quick else SIZES):
            path = Path(name) / f"{contents}.npz"
            matrix = made_up(interactions, contents)
            sp.save_npz(path, matrix, compressed=False)
            row: dict[str, Any] = {"interactions": int(matrix.nnz), "contents": contents}
            row |= {"people": matrix.shape[0], "discern": beside(path, SAMPLE)}
            if given.whole and at == 0:
                row["discern_whole"] = beside(path, None)
            row["implicit_als"] = run_implicit(
                {"train": str(path), "model": "als", "settings": ALS}
            )
            rows.append(row)
            print(json.dumps(row), flush=True)
            path.unlink()
    command = "python -m benchmarks recommendations_scaling"
    result = {"provenance": provenance(command), "als": ALS, "sample": SAMPLE, "rows": rows}
    write("recommendations_scaling", result, markdown(result), quick=given.quick)
    plots.recommendations_scaling(result, folder(quick=given.quick) / "recommendations_scaling.svg")
    return 0


def made_up(interactions: int, contents: int) -> sp.csr_matrix:
    """Likes of float32 1, CSR of shape (people, contents): both drawn with a long tail, seven of
    ten within a topic of the person's own."""
    rng = np.random.default_rng(8)
    people = interactions // LIKES_A_PERSON
    interactions = int(DRAWN * interactions)
    who = np.minimum(people * rng.random(interactions, dtype=np.float32) ** 1.5, people - 1)
    what = np.minimum(contents * rng.random(interactions, dtype=np.float32) ** 2, contents - 1)
    who, what = who.astype(np.int32), what.astype(np.int32)
    own = rng.random(interactions, dtype=np.float32) < 0.7
    what = np.where(own, np.minimum(what - what % TOPICS + who % TOPICS, contents - 1), what)
    likes = np.ones(interactions, dtype=np.float32)
    matrix = sp.csr_matrix((likes, (who, what)), shape=(people, contents))
    matrix.data[:] = 1.0
    return matrix


def beside(path: Path, sample: int | None) -> dict[str, float]:
    """One fit in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.recommendations_scaling", "--fit", str(path)]
    more = [] if sample is None else ["--sample", str(sample)]
    done = subprocess.run([*command, *more], cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def fitted(path: Path, sample: int | None) -> dict[str, float]:
    """Seconds and megabytes of a fit; with a sample, its columns' time is multiplied up."""
    matrix = cast("sp.csr_matrix", sp.load_npz(path))  # as made_up made it
    size = matrix.shape[1]
    settings = Settings(neighbours=neighbours_for(size), content_weight=0.0, ridge=120.0)
    began, cpu = time.perf_counter(), time.process_time()
    if sample is None or sample >= size:
        fit_model(matrix, tuple(map(str, range(size))), settings=settings)
        seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
        return {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": _peak_mb(), "columns": float(size)}
    gram = gram_of(matrix, None, settings)
    fixed = time.perf_counter() - began
    columns = np.sort(np.random.default_rng(9).permutation(size)[:sample])
    near = gram.neighbours(columns, settings.neighbours, settings.neighbour_exponent)
    solve_columns(gram, columns, near, ridges(settings))
    solved = time.perf_counter() - began - fixed
    _as_large_a_model(size, settings)
    return {
        "seconds": fixed + solved * size / sample,
        "fixed_seconds": fixed,
        "column_ms": 1000 * solved / sample,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": _peak_mb(),
        "columns": float(sample),
    }


def _as_large_a_model(size: int, settings: Settings) -> None:
    """Holds what a whole fit holds at its end: weights of every column, twice, and the model."""
    count = settings.neighbours
    near = np.random.default_rng(1).integers(0, size, (size, count), dtype=np.int32)
    weights = np.ones((size, count), dtype=np.float32)
    rows = [to_rows(np.arange(size), near, part, size) for part in (weights, weights.copy())]
    popularity = np.ones(size, dtype=np.float32)
    assemble(tuple(map(str, range(size))), rows[0], rows[1].data, popularity, settings)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    rows = [
        [
            f"{row['interactions']:,}",
            f"{row['contents']:,}",
            number(row["discern"]["seconds"]),
            number(row["discern"].get("column_ms")),
            number(row["discern"]["peak_mb"]),
            number(row["implicit_als"]["seconds"]),
            number(row["implicit_als"]["peak_mb"]),
        ]
        for row in result["rows"]
    ]
    head = [
        "interactions", "contents", "Discern, s", "a column, ms", "Discern, MB", "ALS, s", "ALS, MB"
    ]  # fmt: skip
    whole = result["rows"][0].get("discern_whole")
    checked = (
        f" The smallest size fitted whole took {number(whole['seconds'])} s and "
        f"{number(whole['peak_mb'])} MB."
        if whole
        else ""
    )
    return "\n\n".join(
        [
            "# How a fit grows",
            table(head, rows),
            f"Discern on one thread, its time multiplied up from {result['sample']:,} columns "
            f"drawn by chance.{checked} ALS: {result['als']}, all cores.",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
