"""Turns a text into the windows of token ids that the encoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer

from discern.errors import BundleInvalid
from discern.text.names import UnknownNames, load
from discern.text.normalize import normalize
from discern.text.words import Words

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """One text, ready for the encoder.

    ``ids`` holds one int64 vector for each window, special tokens included; ``weights`` the
    number of tokens that window is the first to read, so that overlaps do not count twice.
    """

    ids: tuple[Ids, ...]
    weights: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return sum(self.weights)


class WindowTokenizer:
    """A tokenizer that never cuts: what does not fit one window goes on in the next.

    Args:
        path: a ``tokenizer.json``; padding and truncation written in it are switched off.
        max_tokens: the length of a window in tokens, the two special tokens included.
        stride: how many tokens a window begins after the one before it; what is left of the
            window's length is the overlap.
        unknown_names: the file of the words that are no names, and the word that is read in place
            of a name that is not known; see :mod:`discern.text.names`. Without them, such a name
            is read in pieces.

    Raises:
        BundleInvalid: a file is unreadable, there are no ``[CLS]`` and ``[SEP]`` tokens, the word
            for unknown names is not a token, or the lengths do not fit each other.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_tokens: int,
        stride: int,
        unknown_names: tuple[Path, str] | None = None,
    ) -> None:
        if not 8 <= max_tokens <= 512 or not 1 <= stride <= max_tokens - 2:
            raise BundleInvalid(
                "'max_tokens' must be 8 to 512 and 'stride' 1 to max_tokens - 2.",
                field="preprocessing",
            )
        try:
            self._tokenizer = FastTokenizer.from_file(str(path))
        except Exception as error:  # the binding raises bare Exception for every bad file
            raise BundleInvalid(f"{path.name} is not a tokenizer: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        first, last = (self._tokenizer.token_to_id(token) for token in ("[CLS]", "[SEP]"))
        if first is None or last is None:
            raise BundleInvalid(f"{path.name} has no [CLS] and [SEP] tokens.")
        self._first, self._last = first, last
        self._words = Words(self._tokenizer)
        self._names: UnknownNames | None = None
        if unknown_names is not None:
            ordinary, name = unknown_names
            self._names = UnknownNames(self._tokenizer, load(ordinary), name)
        self._room = max_tokens - 2
        self._stride = stride

    def windows(self, texts: Sequence[str]) -> list[Windows]:
        """The windows of each text, in order. A text of symbols the tokenizer drops entirely
        still has one window, holding the special tokens alone."""
        cleaned = [normalize(text) for text in texts]
        if self._names is not None:
            cleaned = [self._names.replace(text) for text in cleaned]
        found = [self._words.ids(text) for text in cleaned]
        whole = [text for text, ids in zip(cleaned, found, strict=True) if ids is None]
        if not whole:
            return [self._cut(ids) for ids in found if ids is not None]
        # The fast variant leaves out the offsets, a quarter of the work, for one text as for many.
        read = iter(self._tokenizer.encode_batch_fast(whole, add_special_tokens=False))
        return [self._cut(next(read).ids if ids is None else ids) for ids in found]

    def _cut(self, ids: list[int]) -> Windows:
        if len(ids) <= self._room:
            return Windows((self._frame(ids),), (max(len(ids), 1),))
        frames: list[Ids] = []
        weights: list[int] = []
        read = start = 0
        while read < len(ids):
            # The last window is moved back so that it is full: a stub of a few words, read
            # without what came before it, would get a mood of its own.
            start = min(start, len(ids) - self._room)
            end = start + self._room
            frames.append(self._frame(ids[start:end]))
            weights.append(end - read)
            read, start = end, start + self._stride
        return Windows(tuple(frames), tuple(weights))

    def _frame(self, ids: list[int]) -> Ids:
        return np.array([self._first, *ids, self._last], dtype=np.int64)
