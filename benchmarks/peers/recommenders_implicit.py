"""Ranks with ``implicit``, in its own environment: one JSON job on standard input.

``{"train": FILE, "histories": FILE, "output": FILE, "model": "als" | "bm25", "settings": {...}}``:
sparse matrices saved by scipy; the best hundred columns of each history are saved by numpy, what
is in the history left out. Answers with the seconds and the memory of the fit.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import cast

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from threadpoolctl import threadpool_limits


def main() -> None:
    job = json.load(sys.stdin)
    train = loaded(job["train"])
    kinds = {"als": AlternatingLeastSquares, "bm25": BM25Recommender}
    settings = dict(job["settings"])
    if job["model"] == "als":
        settings.setdefault("random_state", 1)
    model = kinds[job["model"]](**settings)
    began, cpu = time.perf_counter(), time.process_time()
    with threadpool_limits(1, user_api="blas"):  # as its documentation asks for
        model.fit(train, show_progress=False)
    spent = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    if job.get("histories"):
        histories = loaded(job["histories"])
        more = {"recalculate_user": True} if job["model"] == "als" else {}
        ranked, scores = model.recommend(
            np.arange(histories.shape[0]), histories, N=100, filter_already_liked_items=True, **more
        )
        lowest = np.finfo(np.float32).min
        np.save(job["output"], np.where(scores > lowest, ranked, -1))
    spent["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(json.dumps(spent))


def loaded(path: str) -> sp.csr_matrix:
    return cast("sp.csr_matrix", sp.load_npz(path)).tocsr().astype(np.float32)


if __name__ == "__main__":
    main()
