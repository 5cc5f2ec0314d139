"""What crosses the wall of the text room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from discern.errors import EmptyInput, InvalidInput, TooLarge

MAX_TEXT_CHARS: Final = 100_000
"""The longest text accepted, in Unicode code points (about 20,000 words)."""

MAX_TEXTS: Final = 1_000
"""The most texts accepted in one call of an engine."""

MAX_TOTAL_CHARS: Final = 2_000_000
"""The most characters accepted in one call, over all its texts."""

TIMELY_CHARS: Final = 200_000
"""The most characters, over all its texts, of a call that is to be answered in time: two slow or
busy processors answer for so many within ten seconds, and nobody else is kept waiting long. More
is for callers who set a longer time."""


@dataclass(frozen=True, slots=True)
class Sentiment:
    """The mood of one text.

    ``scores`` maps every label to a probability (they sum to 1) in the model's label order;
    ``label`` is the most likely one and ``score`` its probability. ``windows`` says in how many
    overlapping windows the text was read: 1 for all but long texts. ``tokens`` counts the tokens
    read, special tokens left out; a name that is read as any other (see the model's card) is one.
    """

    label: str
    score: float
    scores: Mapping[str, float]
    windows: int
    tokens: int
    model_name: str
    model_version: str


def check_texts(texts: object, *, field: str = "texts") -> list[str]:
    """Returns ``texts`` as a list, or raises an error that names the item and the limit.

    Raises:
        InvalidInput: not a list of strings, or a text with a lone surrogate.
        EmptyInput: no texts, or a blank one.
        TooLarge: too many texts, or too many characters.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, list | tuple):
        raise InvalidInput(f"'{field}' must be a list of strings.", field=field)
    if not texts:
        raise EmptyInput(f"'{field}' holds no text.", field=field)
    if len(texts) > MAX_TEXTS:
        raise TooLarge(
            f"'{field}' holds {len(texts):,} texts; the limit is {MAX_TEXTS:,}.",
            field=field,
            limit=MAX_TEXTS,
        )
    checked = [check_text(text, field=f"{field}[{index}]") for index, text in enumerate(texts)]
    total = sum(map(len, checked))
    if total > MAX_TOTAL_CHARS:
        raise TooLarge(
            f"'{field}' holds {total:,} characters in all; the limit is {MAX_TOTAL_CHARS:,}.",
            field=field,
            limit=MAX_TOTAL_CHARS,
        )
    return checked


def check_text(text: object, *, field: str = "text") -> str:
    """Returns ``text``, or raises as :func:`check_texts` does for one item."""
    if not isinstance(text, str):
        raise InvalidInput(f"'{field}' must be a string.", field=field)
    if len(text) > MAX_TEXT_CHARS:
        raise TooLarge(
            f"'{field}' has {len(text):,} characters; the limit is {MAX_TEXT_CHARS:,}.",
            field=field,
            limit=MAX_TEXT_CHARS,
        )
    if not text.strip():
        raise EmptyInput(f"'{field}' is blank.", field=field)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidInput(
            f"'{field}' is not valid Unicode (it holds half of a surrogate pair).", field=field
        ) from None
    return text
