"""What contents say of themselves, as sparse vectors of their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from discern.recommendations.contract import MAX_TEXT_CHARS, Content

MAX_WORDS: Final = 30_000
"""The most words of the whole catalogue that are told apart, the commonest first."""

WORD: Final = re.compile(r"\w[\w'.&-]*\w")
"""A word may hold apostrophes, periods and hyphens: J.K._Rowling is one."""

LARGE_CATALOGUE: Final = 10_000
WORDS_KEPT_WHEN_LARGE: Final = 24
"""Above that size each content keeps its most telling words only, so that the matrix of contents
by contents stays sparse."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words and how telling each is, ``1 + ln((1 + documents) / (1 + documents with it))``;
    ``rarity`` has shape (words,)."""

    words: tuple[str, ...]
    rarity: Floats

    def vectors(self, documents: Sequence[str]) -> sp.csr_matrix:
        """TF-IDF rows of unit length with logarithmic counts, float32, shape (documents,
        words); documents without a known word get an empty row."""
        places = {word: place for place, word in enumerate(self.words)}
        indices: list[int] = []
        values: list[float] = []
        indptr = [0]
        for counts in map(_counts, documents):
            found = sorted((places[word], n) for word, n in counts.items() if word in places)
            indices.extend(place for place, _ in found)
            values.extend(n for _, n in found)
            indptr.append(len(indices))
        data = (1 + np.log(np.asarray(values, dtype=np.float32))) * self.rarity[indices]
        shape = (len(documents), len(self.words))
        return unit_rows(sp.csr_matrix((data, indices, indptr), shape=shape, dtype=np.float32))


def document(content: Content) -> str:
    """The words of one content. Category and tags become one word each, so that a category of
    two words does not match others that share one of them."""
    labels = [content.category, *content.tags]
    joined = " ".join("_".join(label.split()) for label in labels if label)
    return f"{content.title} {joined} {content.text}"[:MAX_TEXT_CHARS]


def learn_words(documents: Iterable[str]) -> Vocabulary:
    """The words that are in two documents and in at most half of them."""
    spread: Counter[str] = Counter()
    size = 0
    for counts in map(_counts, documents):
        spread.update(counts.keys())
        size += 1
    most = max(size / 2, 2)
    telling = [(word, n) for word, n in spread.items() if 2 <= n <= most]
    kept = sorted(sorted(telling, key=lambda pair: (-pair[1], pair[0]))[:MAX_WORDS])
    counts_kept = np.asarray([n for _, n in kept], dtype=np.float32)
    rarity = 1 + np.log((1 + np.float32(size)) / (1 + counts_kept))
    return Vocabulary(tuple(word for word, _ in kept), rarity.astype(np.float32))


def tf_idf(documents: Sequence[str]) -> sp.csr_matrix:
    """The documents' vectors as a fit uses them: thinned when the catalogue is large."""
    features = learn_words(documents).vectors(documents)
    if len(documents) > LARGE_CATALOGUE:
        features = keep_largest(features, WORDS_KEPT_WHEN_LARGE)
    return features


def keep_largest(matrix: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Each row's ``count`` largest values, scaled back to unit length."""
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((-matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = np.sort(order[place < count])
    return unit_rows(
        sp.csr_matrix((matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape)
    )


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Each row scaled to length 1; an empty one stays empty."""
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sp.csr_matrix(sp.diags(scale.astype(np.float32)) @ matrix)


def _counts(text: str) -> Counter[str]:
    return Counter(WORD.findall(text.lower()))
