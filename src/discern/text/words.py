"""Token ids of plain text word by word, remembered: most words were written before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

MOST_WORDS: Final = 20_000
MOST_NEW: Final = 8
"""New words of one text that are looked up apart; with more of them, the whole is cheaper."""
LONGEST_WORD: Final = 40
_PIECE: Final = re.compile(r"[a-z0-9]+|[^a-z0-9 ]")
# Special tokens begin with a bracket; to the tokenizer an underscore is part of a word here and a
# mark there.
_NOT_PLAIN: Final = re.compile(r"[^\x20-\x7e]|[\[_]")


class Words:
    """The same ids as the tokenizer's, for texts that it reads word by word.

    Args:
        tokenizer: asked about words not met before.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[int, ...]] = {}
        phrases = _phrases_of(tokenizer)
        self._apart = phrases is not None
        self._phrases = phrases or _Phrases()

    def ids(self, text: str) -> list[int] | None:
        """The ids of a normalized text; None where the tokenizer has to read it as a whole."""
        if not self._apart or _NOT_PLAIN.search(text):
            return None
        pieces = _PIECE.findall(text.lower())
        if self._phrases.may_be_in(pieces):
            return None
        known = self._known
        try:
            return [number for piece in pieces for number in known[piece]]
        except KeyError:
            return self._learn(pieces)

    def _learn(self, pieces: list[str]) -> list[int] | None:
        known = self._known
        new = list({piece for piece in pieces if piece not in known and len(piece) <= LONGEST_WORD})
        learned = new[:MOST_NEW]
        if len(known) >= MOST_WORDS:
            self._known = known = {}
        encodings = self._tokenizer.encode_batch_fast(learned, add_special_tokens=False)
        for piece, encoding in zip(learned, encodings, strict=True):
            known[piece] = tuple(encoding.ids)
        try:
            return [number for piece in pieces for number in known[piece]]
        except KeyError:
            return None


@dataclass(slots=True)
class _Phrases:
    """Added tokens of several words.

    Args:
        seconds: first word -> the words that may come second.
        hidden: added words that the tokenizer may miss where a phrase seems to begin.
    """

    seconds: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    hidden: set[str] = field(default_factory=set)

    def may_be_in(self, pieces: Sequence[str]) -> bool:
        if not self.hidden.isdisjoint(pieces):
            return True
        return not self.seconds.keys().isdisjoint(pieces) and any(
            second in self.seconds[first]
            for first, second in pairwise(pieces)
            if first in self.seconds
        )


def _phrases_of(tokenizer: Tokenizer) -> _Phrases | None:
    """The phrases among the added tokens; None where some rule looks further than a word."""
    if not (
        isinstance(tokenizer.normalizer, BertNormalizer)
        and tokenizer.normalizer.lowercase
        and isinstance(tokenizer.pre_tokenizer, BertPreTokenizer)
        and isinstance(tokenizer.model, WordPiece)
    ):
        return None
    phrases = _Phrases()
    words: set[str] = set()
    later: set[str] = set()
    last: set[str] = set()
    for token in tokenizer.get_added_tokens_decoder().values():
        if token.content.startswith("["):
            continue
        first, *rest = _PIECE.findall(token.content.lower()) or [""]
        # One that is not normalized is looked for in the text as it was written.
        if not (
            first.isalnum() and token.content.isascii() and token.single_word and token.normalized
        ):
            return None
        if rest:
            phrases.seconds[first].add(rest[0])
            later.update(rest)
            last.add(rest[-1])
        else:
            words.add(first)
    # Where a phrase fits but for being cut out of longer words, the tokenizer takes neither it nor
    # the added words within.
    phrases.hidden = {
        word
        for word in words
        if word in phrases.seconds
        or word in later
        or any(word[:end] in last for end in range(1, len(word) + 1))
    }
    return phrases
