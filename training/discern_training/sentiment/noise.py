"""Small damage done to training texts so that real typing does not confuse the model."""

from __future__ import annotations

import re
from random import Random
from typing import Final

_NEAR: Final = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o",
    "q": "w", "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc",
    "y": "tu", "z": "x",
}  # fmt: skip
_KEEP: Final = re.compile(r".*n't|not|never|without|\W*", re.IGNORECASE)
_TIGHT: Final = re.compile(r"\s+([.,!?;:%)\]]|'(?:s|re|ve|ll|d|m)\b)")


def damage(text: str, rng: Random) -> str:
    """One or two typing slips in words of four letters or more; negations are left whole."""
    words = text.split(" ")
    places = [i for i, word in enumerate(words) if len(word) > 3 and not _KEEP.fullmatch(word)]
    for index in rng.sample(places, min(len(places), rng.choice((1, 1, 2)))):
        words[index] = _slip(words[index], rng)
    return " ".join(words)


def _slip(word: str, rng: Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1 :]
    if kind == 1:
        return word[:at] + word[at] + word[at:]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    near = _NEAR.get(word[at].lower())
    return word[:at] + rng.choice(near) + word[at + 1 :] if near else word


def untokenize(text: str) -> str:
    """Undoes treebank spacing ("it 's good ." becomes "it's good.")."""
    return _TIGHT.sub(r"\1", text).replace("( ", "(").replace(" n't", "n't")


def drop_end_mark(text: str) -> str:
    """The text without its last full stop: people often leave it out."""
    return text.rstrip(" .") or text
