"""How good moods are against labels people gave: accuracy, macro recall and calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from discern.errors import EmptyInput, InvalidInput
from discern.text.contract import Sentiment

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class SentimentQuality:
    """Figures over ``n`` labelled texts. ``labels`` are the classes judged on; ``confusion``
    counts texts, rows by true label and columns by predicted one, both in that order."""

    n: int
    accuracy: float
    macro_recall: float
    expected_calibration_error: float
    labels: tuple[str, ...]
    recall: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]


def evaluate(results: Sequence[Sentiment], truth: Sequence[str]) -> SentimentQuality:
    """Judges ``results`` against ``truth``, one label for each.

    Where the truth lacks one of the model's labels altogether (two-class sets have no neutral),
    the scores are renormalised over the labels it has.

    Raises:
        EmptyInput: nothing to judge.
        InvalidInput: the lengths differ, or a label is not one of the model's.
    """
    if not results:
        raise EmptyInput("There is nothing to evaluate.")
    if len(results) != len(truth):
        raise InvalidInput(f"{len(results)} results cannot be judged by {len(truth)} labels.")
    known = tuple(results[0].scores)
    truth = known_labels(truth, known)
    labels = tuple(label for label in known if label in set(truth))
    scores = np.array([[result.scores[label] for label in labels] for result in results])
    scores /= scores.sum(axis=1, keepdims=True)
    true = np.array([labels.index(label) for label in truth])
    confusion = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(confusion, (true, scores.argmax(axis=1)), 1)
    recall = confusion.diagonal() / confusion.sum(axis=1)
    return SentimentQuality(
        n=len(results),
        accuracy=float(confusion.trace() / len(results)),
        macro_recall=float(recall.mean()),
        expected_calibration_error=expected_calibration_error(scores, true),
        labels=labels,
        recall=dict(zip(labels, recall.tolist(), strict=True)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
    )


def known_labels(given: Sequence[str], known: Sequence[str]) -> list[str]:
    """The labels as the model writes them, whichever case and spaces they were ``given`` in.

    Raises:
        InvalidInput: one is not among the ``known``; the message names its row, from 1 on.
    """
    folded = {label.casefold(): label for label in known} | {label: label for label in known}
    found = []
    for number, label in enumerate(given, 1):
        bare = label.strip()
        match = folded.get(bare) or folded.get(bare.casefold())
        if match is None:
            raise InvalidInput(
                f"Row {number}: '{label}' is not one of {', '.join(known)}.", field="label"
            )
        found.append(match)
    return found


def expected_calibration_error(
    scores: NDArray[np.float64], true: NDArray[np.int64], *, bins: int = CALIBRATION_BINS
) -> float:
    """The gap between confidence and accuracy, averaged over equal-width confidence bins and
    weighted by how many fall in each (Guo et al., On Calibration of Modern Neural Networks,
    ICML 2017).

    Args:
        scores: probabilities, shape ``[texts, labels]``.
        true: the index of each text's true label, shape ``[texts]``.
    """
    confidence = scores.max(axis=1)
    hit = scores.argmax(axis=1) == true
    slot = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(slot, minlength=bins)
    gap = np.bincount(slot, weights=hit - confidence, minlength=bins)
    filled = count > 0
    return float(np.abs(gap[filled]).sum() / len(true))
