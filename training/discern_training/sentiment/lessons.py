"""What earlier stages teach a later one: self-distillation (Hinton et al. 2015, arXiv:1503.02531;
Furlanello et al. 2018, arXiv:1805.04770) on sentences of reviews.

The teachers are this recipe's own stages. The sentences have no labels, but their reviews have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from discern_training.sentiment.data import Example
from discern_training.sentiment.export import write_model
from discern_training.sentiment.noise import untokenize
from discern_training.sentiment.score import Scorer

REVIEWS: Final = "reviews_soft"
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z])")
_SENTENCE_WORDS: Final = (6, 35)
REVIEW_SENTENCES: Final = 20_000
# Sentences with log odds of 3 and more agree with their review in 78 of 100 cases, those below 1 in
# 52: what a review says of its sentences is worth less than its own log odds of 1.3.
_REVIEW_ODDS: Final = 0.8
_UNDECIDED: Final = 1.0


def review_sentences(reviews: Sequence[Example], count: int, rng: Random) -> list[Example]:
    """``count`` sentences of 6 to 35 words from random reviews; their label is the review's."""
    result: list[Example] = []
    for index in rng.sample(range(len(reviews)), len(reviews)):
        review = reviews[index]
        result += [
            replace(review, text=found, source="lesson") for found in _sentences(review.text)
        ]
        if len(result) >= count:
            break
    return result[:count]


def _sentences(review: str) -> Iterator[str]:
    plain = " ".join(review.replace("<br />", " ").split())
    for sentence in _SENTENCE_END.split(plain):
        if _SENTENCE_WORDS[0] <= len(sentence.split()) <= _SENTENCE_WORDS[1]:
            yield sentence


def label(
    sentences: Sequence[Example], teachers: Sequence[Path], tokenizer: Path, folder: Path
) -> list[Example]:
    """The sentences that have a mood, with how positive they probably are: the mean of the
    teachers' log odds, and the review's label as evidence of its own (a Bayesian update with
    ``_REVIEW_ODDS``). Those the teachers cannot decide tell a story, mostly; they are dropped.

    ``teachers`` are files of averaged weights; they are run as 8-bit graphs. Their answers are
    kept in ``folder``, a file each, and read back from there by a later call.
    """
    folder.mkdir(parents=True, exist_ok=True)
    odds = np.mean([_asked(sentences, path, tokenizer, folder) for path in teachers], 0)
    signs = np.array([item.label - 1 for item in sentences])
    soft = 1.0 / (1.0 + np.exp(-(odds + _REVIEW_ODDS * signs)))
    return [
        replace(item, soft=value, two_class=True)
        for item, value, sure in zip(sentences, soft.tolist(), abs(odds) >= _UNDECIDED, strict=True)
        if sure
    ]


def _asked(
    sentences: Sequence[Example], teacher: Path, tokenizer: Path, folder: Path
) -> NDArray[np.float32]:
    """A teacher's log odds of positive against negative, [texts]."""
    path = folder / f"{REVIEWS}-{teacher.stem}.npy"
    if not path.is_file():
        state = torch.load(teacher, weights_only=True)
        write_model({k: v.numpy() for k, v in state.items()}, tokenizer, folder / "bundle")
        scorer = Scorer(folder / "bundle")
        logits = scorer.merged_logits([untokenize(item.text) for item in sentences])
        np.save(path, logits[:, 2] - logits[:, 0])
    found: NDArray[np.float32] = np.load(path)
    return found
