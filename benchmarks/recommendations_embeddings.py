"""Words against sentence embeddings of the shipped encoder as what contents say of themselves.

``python -m benchmarks recommendations_embeddings --data FOLDER [--set NAME] [--quick]``. TF-IDF,
embeddings and both enter the same dense solution (EDLAE with content in the Gram matrix) at several
weights, judged on the first fold's validation people; and each alone ranks contents nobody has
met, by kernel ridge to the columns of weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.environments import PEERS, python_of
from benchmarks.machine import provenance, sentence
from benchmarks.recommendations_cold import folds, judged
from benchmarks.recommendations_quality import raw_texts, read_set, validation_of_first
from benchmarks.recommendations_rivals import Given, dense, ranked_by
from benchmarks.recommendations_rivals import judged as judged_lists
from benchmarks.report import table, write
from discern.recommendations.fit import gram_of
from discern.recommendations.gram import DenseGram
from discern.recommendations.settings import Settings
from discern.recommendations.solve import Ridge, solve_dense
from discern.recommendations.split import test_folds
from discern.recommendations.text_features import tf_idf

BY_NAME_ONLY: Final = True
BUNDLE: Final = Path(__file__).parents[1] / "src/discern/catalog/bundles/sentiment-en"
TOKENS: Final = 96
WEIGHTS: Final = (0.1, 0.3, 1.0, 3.0)
COLD_RIDGES: Final = (0.3, 1.0, 3.0)
RIDGE: Final = Ridge(20.0, 0.5)


def main() -> int:
    """Writes ``recommendations_embeddings_SET.json`` and ``.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_embeddings")
    parser.add_argument("--data", type=Path, required=True, help="the public sets' folder")
    parser.add_argument("--set", default="movielens_1m")
    parser.add_argument("--quick", action="store_true", help="a few people: proves nothing")
    given = parser.parse_args()
    command = f"python -m benchmarks recommendations_embeddings --data FOLDER --set {given.set}"
    result: dict[str, Any] = {"provenance": provenance(command), "set": given.set}
    result |= measure(given.data / given.set, quick=given.quick)
    write(f"recommendations_embeddings_{given.set}", result, markdown(result), quick=given.quick)
    return 0


def measure(folder: Path, *, quick: bool) -> dict[str, Any]:
    """NDCG@100 with each kind of content at each weight, and NDCG@10 of contents nobody met."""
    ratings, documents = read_set(folder, quick=quick)
    raw = raw_texts(folder, ratings.contents)
    vectors, spent = embedded(raw)
    words = tf_idf(documents)
    kinds = {
        "TF-IDF": words,
        "embeddings": sp.csr_matrix(vectors),
        "both": sp.csr_matrix(sp.hstack([words, sp.csr_matrix(vectors)]) * np.sqrt(0.5)),
    }
    fold, validation = next(iter(test_folds(ratings.matrix))), validation_of_first(ratings)
    ways: dict[str, dict[str, float]] = {"none": {"0": _quality(fold, words, 0.0, validation)}}
    for name, features in kinds.items():
        ways[name] = {
            str(weight): _quality(fold, features, weight, validation) for weight in WEIGHTS
        }
        print(name, ways[name], flush=True)
    cold = {name: cold_quality(ratings.matrix, features) for name, features in kinds.items()}
    return {"contents": len(raw), "embedding_cpu_s": spent, "known": ways, "cold": cold}


def embedded(texts: list[str]) -> tuple[NDArray[np.float32], float]:
    """Centered vectors of unit length, and the processor seconds they took."""
    with tempfile.TemporaryDirectory() as name:
        output = Path(name) / "vectors.npy"
        job = {"bundle": str(BUNDLE), "texts": texts, "tokens": TOKENS, "output": str(output)}
        done = subprocess.run(
            [str(python_of("blog")), str(PEERS / "embed_texts.py")],
            input=json.dumps(job), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        vectors = np.load(output)
    vectors -= vectors.mean(axis=0)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors, float(json.loads(done.stdout.splitlines()[-1])["cpu_s"])


def _quality(fold: Any, features: sp.csr_matrix, weight: float, validation: Any) -> float:
    scores = dense(Given(fold, features, ()), RIDGE, content=weight)
    ranked = ranked_by(scores, validation.history, validation.history)
    return judged_lists(ranked, validation)["ndcg@100"]


def cold_quality(matrix: sp.csr_matrix, features: sp.csr_matrix) -> dict[str, float]:
    """NDCG@10 over three folds at each ridge of the words' kernel."""
    found: dict[str, list[float]] = {str(ridge): [] for ridge in COLD_RIDGES}
    for fold in folds(matrix):
        known, new = features[fold.warm], features[fold.cold]
        gram = gram_of(fold.train, None, Settings(activity_exponent=0.5, content_weight=0.0))
        if not isinstance(gram, DenseGram):
            raise TypeError("the set is small")
        weights = solve_dense(gram, Ridge(120.0, 0.5))
        kernel = np.asarray((known @ known.T).todense())
        for ridge in COLD_RIDGES:
            system = kernel + ridge * np.eye(len(kernel), dtype=np.float32)
            near = np.asarray((known @ new.T).todense())
            mixed = scipy.linalg.solve(system, near, assume_a="pos")
            found[str(ridge)].append(judged(fold.history @ (weights @ mixed), fold.targets))
    return {ridge: float(np.mean(values)) for ridge, values in found.items()}


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    known = [
        [name, *(f"{way[str(weight)]:.4f}" if str(weight) in way else "-" for weight in WEIGHTS)]
        for name, way in result["known"].items()
        if name != "none"
    ]
    cold = [
        [name, *(f"{way[str(ridge)]:.4f}" for ridge in COLD_RIDGES)]
        for name, way in result["cold"].items()
    ]
    return "\n\n".join(
        [
            f"# Words or sentence embeddings: {result['set']}",
            f"NDCG@100 with content in the Gram matrix at these weights; without any "
            f"{result['known']['none']['0']:.4f}.",
            table(["content weight", *map(str, WEIGHTS)], known),
            "Contents nobody has met, NDCG@10 at these ridges.",
            table(["ridge", *map(str, COLD_RIDGES)], cold),
            f"Embedding {result['contents']:,} texts took {result['embedding_cpu_s']:.0f} s of "
            "processor time.",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
