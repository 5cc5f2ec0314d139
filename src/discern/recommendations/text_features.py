"""What contents say of themselves, as sparse vectors of their words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import scipy.sparse as sp

from discern.recommendations.contract import MAX_TEXT_CHARS, Content

MAX_TERMS: Final = 50_000
"""The most words of the whole catalogue that are told apart."""

WORD: Final = r"(?u)\b\w[\w'.&-]*\w\b"
"""A word may hold apostrophes, periods and hyphens: J.K._Rowling is one."""

LARGE_CATALOGUE: Final = 10_000
TERMS_KEPT_WHEN_LARGE: Final = 24
"""Above that size each content keeps its most telling words only, so that the matrix of contents
by contents stays sparse."""


def document(content: Content) -> str:
    """The words of one content. Category and tags become one word each, so that a category of
    two words does not match others that share one of them."""
    labels = [content.category, *content.tags]
    joined = " ".join("_".join(label.split()) for label in labels if label)
    return f"{content.title} {joined} {content.text}"[:MAX_TEXT_CHARS]


def tf_idf(documents: Sequence[str]) -> sp.csr_matrix:
    """Rows of unit length, float32, of shape (documents, words), with logarithmic counts.

    A word must be in two documents and in at most half of them. Documents without words get an
    empty row; a catalogue without words gets a matrix of no columns.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    empty = sp.csr_matrix((len(documents), 0), dtype=np.float32)
    if len(documents) < 2:
        return empty
    vectorizer = TfidfVectorizer(
        sublinear_tf=True,
        min_df=2,
        max_df=max(0.5, 2 / len(documents)),
        max_features=MAX_TERMS,
        dtype=np.float32,
        token_pattern=WORD,
    )
    try:
        features = vectorizer.fit_transform(documents).tocsr()
    except ValueError:  # scikit-learn's way to say that no word is left
        return empty
    if len(documents) > LARGE_CATALOGUE:
        features = keep_largest(features, TERMS_KEPT_WHEN_LARGE)
    return features


def keep_largest(matrix: sp.csr_matrix, count: int) -> sp.csr_matrix:
    """Each row's ``count`` largest values, scaled back to unit length."""
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(matrix.shape[0]), lengths)
    order = np.lexsort((-matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], lengths)
    kept = np.sort(order[place < count])
    part = sp.csr_matrix(
        (matrix.data[kept], (rows[kept], matrix.indices[kept])), shape=matrix.shape
    )
    norms = np.sqrt(np.asarray(part.multiply(part).sum(axis=1)).ravel())
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return sp.csr_matrix(sp.diags(scale.astype(np.float32)) @ part)
