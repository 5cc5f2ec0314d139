"""Sentiment quality beside VADER and TF-IDF with logistic regression, on every set.

``python -m benchmarks sentiment_quality --data-dir FOLDER [--bundle FOLDER] [--quick]``. The
folder holds the public sets (their names and terms are in the model's card); nothing of them is
part of this repository. TF-IDF with logistic regression is trained on the same open sets as the
model. VADER's compound score decides at its authors' thresholds (+-0.05); where a set has no
neutral, at 0.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from discern_training.sentiment.data import LABELS, TWO_CLASS, load_training, read_csv, split
from discern_training.sentiment.data import load_set as load_open_set
from discern_training.sentiment.score import Scorer
from discern_training.sentiment.spread import Spread, equity_corpus, measure, own_sentences
from numpy.typing import NDArray

from benchmarks.machine import provenance, sentence
from benchmarks.report import RESULTS, table, write
from discern.text.evaluate import expected_calibration_error

BY_NAME_ONLY: Final = True
BUNDLE: Final = Path(__file__).parents[1] / "src/discern/catalog/bundles/sentiment-en"
RIVALS: Final = ("VADER", "TF-IDF + LR")
OPEN_SETS: Final = ("sst2", "sst_fine", "imdb", "goemotions", "tweets", "objective")

Floats = NDArray[np.float64]
Rows = list[tuple[str, int]]
Model = Callable[[Sequence[str], bool], Floats]


def sets(folder: Path, *, quick: bool) -> dict[str, tuple[str, Rows]]:
    """Name to (what it has to do with training, rows)."""

    def held_out(name: str) -> Rows:
        return [(e.text, e.label) for e in split(load_open_set(name, folder))[1]]

    found = {
        "film sentences (SST-2 dev)": ("held out", list(read_csv(folder / "sst2_dev.csv"))),
        "Reddit (GoEmotions dev)": ("held out", list(read_csv(folder / "goemotions_dev.csv"))),
        "tweets (TweetEval, held out)": ("held out", held_out("tweets")),
        "film reviews (IMDB, held out)": ("held out", held_out("imdb")),
        "airline tweets": ("other kind", list(read_csv(folder / "airline_tweets_train.csv"))),
        "restaurant sentences (Yelp)": (
            "other kind",
            list(read_csv(folder / "yelp_sentences_train.csv"))[::8],
        ),
        "financial news (PhraseBank)": (
            "other kind",
            list(read_csv(folder / "financial_phrasebank_train.csv")),
        ),
    }
    limit = 60 if quick else None
    return {name: (kind, rows[:limit]) for name, (kind, rows) in found.items()}


def judge(probabilities: Floats, labels: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy, macro recall and calibration; two classes where no row is neutral."""
    classes = np.unique(labels)
    scores = probabilities[:, classes]
    scores = scores / np.maximum(scores.sum(1, keepdims=True), 1e-12)
    true = np.searchsorted(classes, labels)
    best = scores.argmax(1)
    recalls = [(best[true == index] == index).mean() for index in range(len(classes))]
    return {
        "accuracy": round(float((best == true).mean()), 4),
        "macro_recall": round(float(np.mean(recalls)), 4),
        "expected_calibration_error": round(expected_calibration_error(scores, true), 4),
    }


def discern_model(bundle: Path) -> tuple[Model, Scorer]:
    """The bundle under test."""
    scorer = Scorer(bundle)
    return lambda texts, _: scorer.probabilities(texts).astype(np.float64), scorer


def vader_model() -> Model:
    """VADER (Hutto and Gilbert 2014) decides; it gives no probabilities, so no calibration."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()

    def run(texts: Sequence[str], two_classes: bool) -> Floats:
        found = np.array([analyzer.polarity_scores(text)["compound"] for text in texts])
        edge = 0.0 if two_classes else 0.05
        best = np.where(found >= edge, 2, np.where(found <= -edge, 0, 1))
        return np.eye(3)[best] + 1e-9

    return run


def linear_model(folder: Path, *, quick: bool) -> Model:
    """TF-IDF of words and word pairs with logistic regression, on the same open sets; two-class
    sets join both a three-class and a two-class model."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    training = load_training(folder, OPEN_SETS)

    def fit(names: Sequence[str], labels: Sequence[int]) -> Any:
        rows = [e for name in names for e in training[name][:: 40 if quick else 1]]
        rows = [e for e in rows if e.label in labels]
        model = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            LogisticRegression(C=4.0, max_iter=300, class_weight="balanced"),
        )
        return model.fit([e.text for e in rows], [e.label for e in rows])

    three = fit([name for name in OPEN_SETS if name not in TWO_CLASS], (0, 1, 2))
    two = fit(OPEN_SETS, (0, 2))

    def run(texts: Sequence[str], two_classes: bool) -> Floats:
        if not two_classes:
            return np.asarray(three.predict_proba(texts))
        found = np.zeros((len(texts), 3))
        found[:, [0, 2]] = two.predict_proba(texts)
        return found

    return run


def compare(
    models: dict[str, Model],
    data: dict[str, tuple[str, Rows]],
    known: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Every model on every set; what is in ``known`` is not measured again."""
    result: dict[str, Any] = {}
    for name, (kind, rows) in data.items():
        labels = np.array([label for _, label in rows])
        texts = [text for text, _ in rows]
        entry: dict[str, Any] = {"kind": kind, "n": len(rows), "classes": len(set(labels.tolist()))}
        for title, model in models.items():
            if title in known.get(name, {}):
                entry[title] = known[name][title]
                continue
            began = time.monotonic()
            entry[title] = judge(model(texts, 1 not in labels), labels)
            print(f"{name}: {title} {entry[title]} ({time.monotonic() - began:.0f} s)", flush=True)
        result[name] = entry
    return result


def _quality_table(result: dict[str, Any], titles: Sequence[str]) -> str:
    rows = []
    for name, entry in result.items():
        cells: list[object] = [name, f"{entry['n']:,}", entry["classes"], entry["kind"]]
        judged = (entry[title] for title in titles)
        cells += [f"{item['accuracy']:.3f} / {item['macro_recall']:.3f}" for item in judged]
        cells.append(f"{entry[titles[0]]['expected_calibration_error']:.3f}")
        rows.append(cells)
    return table(["set", "texts", "classes", "is", *titles, f"ECE of {titles[0]}"], rows)


def _spread_table(spreads: Sequence[Spread]) -> str:
    rows = [
        [item.group, item.sentences, f"{item.largest:.3f}", f"{item.mean:.3f}", item.worst]
        for item in spreads
    ]
    return table(["words swapped", "sentences", "largest", "mean", "worst pair"], rows)


def _last_rivals() -> dict[str, dict[str, Any]]:
    last = json.loads((RESULTS / "sentiment_quality.json").read_text(encoding="utf-8"))["quality"]
    return {name: {title: entry[title] for title in RIVALS} for name, entry in last.items()}


def main() -> None:
    """Runs the comparison; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the public sets")
    parser.add_argument("--bundle", type=Path, default=BUNDLE, help="the bundle to judge")
    parser.add_argument("--quick", action="store_true", help="60 rows a set, a small rival")
    parser.add_argument(
        "--keep-rivals", action="store_true", help="take the rivals' figures from the last result"
    )
    options = parser.parse_args()
    result = provenance("python -m benchmarks sentiment_quality --data-dir DATA")
    model, scorer = discern_model(options.bundle)
    titles = ("Discern", *RIVALS)
    known = _last_rivals() if options.keep_rivals else {}
    rivals = (model, model) if known else (
        vader_model(), linear_model(options.data_dir, quick=options.quick)
    )  # fmt: skip
    models = dict(zip(titles, (model, *rivals), strict=True))
    result["quality"] = compare(models, sets(options.data_dir, quick=options.quick), known)
    corpus = equity_corpus(options.data_dir / "equity_evaluation_corpus.csv")
    spreads = measure(own_sentences(), scorer.probabilities)
    spreads += measure(corpus, scorer.probabilities)
    result["identity_spread"] = [
        {"group": s.group, "sentences": s.sentences, "largest": round(s.largest, 4),
         "mean": round(s.mean, 4), "worst": s.worst}
        for s in spreads
    ]  # fmt: skip
    markdown = "\n\n".join(
        [
            "# Sentiment: Discern beside VADER and TF-IDF + logistic regression",
            "Accuracy / macro recall; sets without neutral are judged on two classes. 'held out' "
            "sets are like those trained on, 'other kind' sets were never trained on. ECE: "
            "expected calibration error, 15 bins.",
            _quality_table(result["quality"], titles),
            "## Identity swaps",
            "Highest minus lowest probability of positive among sentences that differ in one "
            "identity word alone: the largest over the sentences, and the mean.",
            _spread_table(spreads),
            sentence(result),
            f"Labels: {', '.join(LABELS)}.",
        ]
    )
    write("sentiment_quality", result, markdown, quick=options.quick)
