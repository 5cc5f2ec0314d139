"""Names no list holds: a capitalized word that is not known is read as any other name.

The rule is switched on by a bundle: its manifest names the word read in place of such a name
(``preprocessing.unknown_name``), and its file ``ordinary.bin`` holds what is no name.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_left
from pathlib import Path
from sys import byteorder
from typing import Final
from zlib import crc32

from tokenizers import Tokenizer

from discern.errors import BundleInvalid

FILE: Final = "ordinary.bin"
MOST_WORDS: Final = 20_000
LONGEST: Final = 40
SHORTEST: Final = 3
LONG: Final = 5
MOST_IN_TEXT: Final = 150
"""Words of the longest text that is read so: long ones name whole casts."""
MOST_CHARS: Final = 16 * MOST_IN_TEXT
# Short words are a letter away from some other word too often to be taken for its slip.
SHORTEST_SLIP: Final = 6
_LATIN: Final = [chr(code) for code in (*range(0x250), *range(0x1E00, 0x1F00))]
_CAPITALS: Final = "".join(letter for letter in _LATIN if letter.isupper())
_CAPITALIZED: Final = re.compile(rf"[{_CAPITALS}][\w'-]*")
_WORD: Final = re.compile(r"[^\W\d_][\w'-]*")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_PART: Final = re.compile(r"['-]")
_DOUBLED: Final = re.compile(r"(.)\1")
# "CEOs" and "NewsOfToday" are no names, "McIlroy" and "DeShawn" are.
_MOST_CAPITALS: Final = 2
_ABBREVIATED: Final = re.compile(r"[A-Z]{2,}s")
_VOWEL: Final = re.compile(r"[aeiouy\u00e6\u00f8\u0153\u0131]|[^\x00-\x7f]")
# Behind these, and behind a letter or digit, a sentence goes on.
_GOES_ON: Final = frozenset(",;)%&'")
# Before these, a capital letter is in the middle of something: a handle, a link, a longer word.
_JOINED: Final = frozenset("@#_'-/.")
_HUMP: Final = re.compile(r"(?<=[^\W\d_])(?=[A-Z])")
_SHORTENED: Final = frozenset(("t", "re", "ve", "ll", "d", "m", "em", "all", "n", "am", "know"))
_ALWAYS: Final = ("able", "ible", "ful", "less", "ness", "fully", "ously")
_MOSTLY: Final = (
    "tion", "tions", "ment", "ments", "ity", "ities", "ance", "ence", "ship", "hood", "ism", "isms",
    "ology", "ological", "iness", "ically", "atic", "ating", "izing", "ising",
)  # fmt: skip
_ENDINGS: Final = (
    "s", "es", "ed", "er", "ers", "est", "in", "ing", "ings", "ly", "y", "ish", "ous", "some",
    "ive", "ist", "ists", "ic", "al", "worthy", "like", "wise", "ville", "fest", "tastic",
)  # fmt: skip
_BEGINNINGS: Final = (
    "un", "over", "under", "re", "dis", "mis", "non", "out", "super", "ultra", "mega", "hyper",
    "anti", "pre", "semi", "self",
)  # fmt: skip
_NO, _INSIDE, _ANYWHERE = range(3)


class OrdinaryWords:
    """Lower-case words that are no names, and slips of frequent ones, as sorted hashes.

    Args:
        data: little-endian unsigned numbers of 32 bits, ascending; see :func:`hashes`.

    Raises:
        BundleInvalid: not whole numbers, or not ascending.
    """

    def __init__(self, data: bytes) -> None:
        if len(data) % 4:
            raise BundleInvalid(f"{FILE} is damaged.", field="files")
        self._hashes = array("I", data)
        if byteorder == "big":
            self._hashes.byteswap()
        if any(a > b for a, b in zip(self._hashes, self._hashes[1:], strict=False)):
            raise BundleInvalid(f"{FILE} is not in order.", field="files")

    def __contains__(self, word: str) -> bool:
        wanted = crc32(word.encode())
        place = bisect_left(self._hashes, wanted)
        return place < len(self._hashes) and self._hashes[place] == wanted

    def near(self, word: str) -> bool:
        """Whether one slip of the pen makes a frequent word of it: a letter too many, too few,
        another one, or two swapped."""
        if len(word) < SHORTEST_SLIP:
            return False
        if f"-{word}" in self:
            return True
        shorter = [word[:place] + word[place + 1 :] for place in range(len(word))]
        return any(f"-{other}" in self or other in self for other in shorter)


def hashes(words: set[str], frequent: set[str]) -> bytes:
    """What :class:`OrdinaryWords` reads: ``words``, and each of ``frequent`` (six letters or more)
    with a letter left out."""
    slips = {
        f"-{word[:place]}{word[place + 1 :]}"
        for word in frequent
        if len(word) >= SHORTEST_SLIP
        for place in range(len(word))
    }
    found = sorted({crc32(word.encode()) for word in words | slips})
    numbers = array("I", found)
    if byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def fold(word: str) -> str:
    """Lower case and without accents, as the tokenizer reads it."""
    word = word.lower()
    if word.isascii():
        return word
    letters = unicodedata.normalize("NFD", word)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


class UnknownNames:
    """Puts one known name in the place of every unknown one.

    A name here is a word of letters, also with accents, apostrophes and hyphens, that begins with a
    capital and is not all capitals, that the tokenizer would break into pieces, and that is neither
    an ordinary word nor derived from one. At the beginning of a sentence, where every word has its
    capital, it may not be a slip of a frequent word or two ordinary words run together either.
    Texts whose words are mostly capitalized, as titles are, stay as they are; so do texts in lower
    case, those that consist of names alone and those of more than ``MOST_IN_TEXT`` words.

    Args:
        tokenizer: says which words are known.
        ordinary: the words that are no names.
        name: what is read in place of an unknown name; a token of its own.

    Raises:
        BundleInvalid: ``name`` is not one token.
    """

    def __init__(self, tokenizer: Tokenizer, ordinary: OrdinaryWords, name: str) -> None:
        vocabulary = tokenizer.get_vocab()
        self._known = {word for word in vocabulary if not word.startswith("##")}
        # Words of a phrase that is one token mean nothing by themselves, but are in a list.
        for token in tokenizer.get_added_tokens_decoder().values():
            self._known.update(_WORD.findall(token.content), _LETTERS.findall(token.content))
        if name not in self._known:
            raise BundleInvalid(f"'{name}' is not a token.", field="preprocessing")
        self._ordinary = ordinary
        self._name = name
        self._verdicts: dict[str, int] = {}

    def replace(self, text: str) -> str:
        """The text, normalized before, with its unknown names replaced."""
        if len(text) > MOST_CHARS or text.count(" ") >= MOST_IN_TEXT:
            return text
        found: list[tuple[int, int]] = []
        verdicts = self._verdicts
        for match in _CAPITALIZED.finditer(text):
            word, start = match[0], match.start()
            verdict = verdicts.get(word)
            if verdict is None:
                verdict = self._learn(word)
            if verdict == _NO:
                continue
            if start and (text[start - 1].isalnum() or text[start - 1] in _JOINED):
                continue
            if verdict == _ANYWHERE or inside(text, start):
                found.append((start, start + len(_bare(word))))
        if not found or _is_title(text, found):
            return text
        pieces, end = [], 0
        for start, stop in found:
            pieces += [text[end:start], self._name]
            end = stop
        return "".join([*pieces, text[end:]])

    def _learn(self, word: str) -> int:
        if len(self._verdicts) >= MOST_WORDS:
            self._verdicts = {}
        verdict = self._verdicts[word] = self._judge(_bare(word))
        return verdict

    def _judge(self, word: str) -> int:
        if not SHORTEST <= len(word) <= LONGEST or word.isupper():
            return _NO
        parts = [fold(part) for part in _PART.split(word)]
        capitals = sum(letter.isupper() for letter in word)
        if capitals > _MOST_CAPITALS * len(parts) or _ABBREVIATED.fullmatch(word):
            return _NO
        if not all(part.isalpha() for part in parts):
            return _NO
        if (plain := fold(word)) in self._known:
            return _NO
        if len(parts) > 1:
            return _NO if self._is_composed(plain, parts) else _ANYWHERE
        if not _VOWEL.search(plain) or self._is_ordinary(plain):
            return _NO
        if self._is_two(plain, LONG) or any(hump in self._ordinary for hump in _humps(word)):
            return _NO
        slip = plain.endswith(_MOSTLY) or self._ordinary.near(plain) or self._is_two(plain)
        return _INSIDE if slip else _ANYWHERE

    def _is_ordinary(self, word: str) -> bool:
        ordinary = self._ordinary
        if word in ordinary or word.endswith(_ALWAYS):
            return True
        shorter = [
            word[: found.start()] + word[found.end() - 1 :] for found in _DOUBLED.finditer(word)
        ]
        if any(other in ordinary for other in (*shorter, _DOUBLED.sub(r"\1", word))):
            return True
        stems = [word[: -len(end)] for end in _ENDINGS if word.endswith(end)]
        stems = [stem for stem in stems if len(stem) > SHORTEST]
        stems += [f"{stem}e" for stem in stems]
        stems += [stem[:-1] for stem in stems if stem[-1] == stem[-2]]
        stems += [f"{stem[:-1]}y" for stem in stems if stem.endswith("i")]
        rest = [word[len(start) :] for start in _BEGINNINGS if word.startswith(start)]
        return any(stem in ordinary for stem in (*stems, *(r for r in rest if len(r) > SHORTEST)))

    def _is_composed(self, word: str, parts: list[str]) -> bool:
        # Syllables of names are ordinary words by chance, but hardly all of one, nor long ones.
        found = [part for part in parts if part in self._ordinary]
        long = any(len(part) > SHORTEST for part in found)
        return long or found == parts or word in self._ordinary or parts[-1] in _SHORTENED

    def _is_two(self, word: str, least: int = SHORTEST + 1) -> bool:
        places = range(least, len(word) - SHORTEST + 1)
        return any(word[:at] in self._ordinary and word[at:] in self._ordinary for at in places)


def load(path: Path) -> OrdinaryWords:
    """The words in a bundle's file.

    Raises:
        BundleInvalid: it is damaged or cannot be read.
    """
    try:
        return OrdinaryWords(path.read_bytes())
    except OSError as error:
        raise BundleInvalid(f"{path.name} cannot be read: {error}", field="files") from error


def _humps(word: str) -> list[str]:
    """The long parts of a word with capitals inside, in lower case: those of "MilesMore"."""
    humps = _HUMP.split(word)
    return [hump.lower() for hump in humps if len(hump) > SHORTEST] if len(humps) > 1 else []


def _bare(word: str) -> str:
    """Without the possessive and what trails."""
    word = word.rstrip("'-")
    return word[:-2].rstrip("'-") if word[-2:].lower() == "'s" else word


def inside(text: str, start: int) -> bool:
    """Whether a sentence goes on at ``start``; spaces are single."""
    if start < 2 or text[start - 1] != " ":
        return False
    before = text[start - 2]
    return before.isalnum() or before in _GOES_ON


def _is_title(text: str, names: list[tuple[int, int]]) -> bool:
    """Whether most of the words that are not the ``names`` are capitalized for no reason."""
    starts = {start for start, _ in names}
    others = capitals = 0
    for match in _WORD.finditer(text):
        if match.start() not in starts:
            others += 1
            capitals += match[0][0].isupper() and inside(text, match.start())
    return not others or 2 * capitals > others
