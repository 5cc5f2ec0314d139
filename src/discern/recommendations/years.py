"""The years a text names, as vectors in which years near one another are alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import scipy.sparse as sp

from discern.recommendations.text_features import WORD, Vocabulary, unit_rows

YEAR: Final = re.compile(r"1[5-9]\d\d|20\d\d")
FIRST: Final = 1500
LAST: Final = 2100
SPACING: Final = 3
WIDTH: Final = 6.0
"""Two years this far apart are alike by ``exp(-1/2)``."""


def years_of_known(vocabulary: Vocabulary, features: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of unit length (empty without a year), float32, one for each content. As words, 1994
    and 1995 have nothing in common."""
    named = [place for place, word in enumerate(vocabulary.words) if YEAR.fullmatch(word)]
    has = sp.csr_matrix((features[:, named] > 0).astype(np.float32))
    return unit_rows(sp.csr_matrix(has @ _bumps(int(vocabulary.words[at]) for at in named)))


def years_of_text(text: str) -> sp.csr_matrix:
    """One such row for a new text; its years need not be in the vocabulary."""
    named = {word for word in WORD.findall(text) if YEAR.fullmatch(word)}
    total = _bumps(map(int, sorted(named))).sum(axis=0)
    return unit_rows(sp.csr_matrix(total, dtype=np.float32))


def _bumps(years: Iterable[int]) -> sp.csr_matrix:
    """A bell around each year, at places every :data:`SPACING` years; shape (years, places)."""
    given = np.fromiter(years, dtype=np.float32)
    places = np.arange(FIRST, LAST, SPACING, dtype=np.float32)
    bell = np.exp(-(((given[:, None] - places) / WIDTH) ** 2))
    return sp.csr_matrix(np.where(bell > 1e-3, bell, 0.0).astype(np.float32))
