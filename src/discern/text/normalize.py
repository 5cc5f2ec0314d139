"""Text normalization, version "v1": what training and inference both do before tokenizing.

The rules are frozen under their name: a model trained with "v1" needs exactly these. A change
of rules is a new version beside this one, never an edit.

Upper case is not represented: the tokenizer folds case, so "GREAT" and "great" read the same.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import Final

VERSION: Final = "v1"

_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_BREAK = re.compile(r"<\s*/?\s*(?:br|p|div|li)\b[^>]{0,64}>", re.IGNORECASE)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_MENTION = re.compile(r"(?<![\w.@])@\w{1,64}")
_HASHTAG = re.compile(r"(?<![\w&#])#(?=[^\W\d])(\w{1,100})")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|_+")
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}")
_MARK_RUN = re.compile(r"([!?.,*\-=_~#])\1{3,}")
_SPLIT_NOT = re.compile(r"(?<=[A-Za-z]) [nN]['\u2019]?[tT](?![\w'])")
_BRACKETS = {"-lrb-": "(", "-rrb-": ")", "-lsb-": "[", "-rsb-": "]"}
_BRACKET = re.compile("|".join(_BRACKETS), re.IGNORECASE)

# Western emoticons by mood; matched only between spaces or at an end, so that "8)" in a list
# or "x:(y" in code stays what it is.
_FACES: Final = {
    "happy face": r"[:=;]['^o-]?[)\]}D]+|\(:|\(-:|:3|\^[_.-]?\^|[xX]D+|:[pP]|;-?[pP]",
    "sad face": r"[:=]['^o-]?[(\[{]+|\)-?:|:'\(|T_T|;_;",
    "annoyed face": r"[:=][-^]?[/\\|]|-_+-|>:-?\(|\.\.\.-_-",
    "heart": r"<3+",
    "broken heart": r"</3",
}
_EMOTICON = re.compile(
    r"(?<![^\s.,!?\"'*])(?:"
    + "|".join(f"(?P<f{index}>{pattern})" for index, pattern in enumerate(_FACES.values()))
    + r")(?![^\s.,!?\"'*])"
)
_FACE_NAMES: Final = tuple(_FACES)
# What can start an emoticon, a mention, a link, an escape, ... : without any, a text of plain
# characters needs only its spaces and letter runs looked at.
_SPECIAL = re.compile(
    r"[^\x20-\x7e]|[@#&<\\:=;^_]|\(-?:|\)-?:|[xX]D|-lrb-|-rrb-|-lsb-|-rsb-|www\.", re.IGNORECASE
)
# Without these the patterns that replace have nothing to do, and take many times as long to say so.
_THREE_ALIKE = re.compile(r"(.)\1\1")
_NOT_APART = re.compile(r" [nN]['\u2019]?[tT]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def normalize(text: str) -> str:
    """The text as the tokenizer should see it: one line, no control characters, emoji and
    emoticons in words, links and user names as ``http`` and ``@user``.

    Idempotent on ordinary text and linear in its length. The result may be empty.
    """
    if _SPECIAL.search(text):
        text = _special(text)
    if _THREE_ALIKE.search(text):
        text = _MARK_RUN.sub(r"\1\1\1", _LONG_RUN.sub(r"\1\1", text))
    if _NOT_APART.search(text):
        text = _SPLIT_NOT.sub("n't", text)
    return " ".join(text.split())


def _special(text: str) -> str:
    if "\\" in text:
        text = _ESCAPE.sub(_unescape, text)
    if "&" in text:
        text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    if "<" in text:
        text = _BREAK.sub(" ", text)
    text = _URL.sub("http", text)
    if "@" in text:
        text = _MENTION.sub("@user", text)
    if "#" in text:
        text = _HASHTAG.sub(_unhash, text)
    if "-" in text:
        text = _BRACKET.sub(lambda found: _BRACKETS[found[0].lower()], text)
    text = _EMOTICON.sub(_name_face, text)
    if not text.isascii():
        text = _NOT_ASCII.sub(_plain, unicodedata.normalize("NFC", text))
    return "".join(map(_printable, text)) if not text.isprintable() else text


def _unescape(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if unicodedata.category(char) != "Cs" else " "


def _unhash(found: re.Match[str]) -> str:
    return _HUMP.sub(" ", found[1])


def _name_face(found: re.Match[str]) -> str:
    assert found.lastgroup is not None  # noqa: S101 - every alternative is named
    return f" {_FACE_NAMES[int(found.lastgroup[1:])]} "


def _printable(char: str) -> str:
    if char.isprintable():
        return char
    return " " if char.isspace() or char == "\x00" else ""


def _plain(found: re.Match[str]) -> str:
    return _spell(found[0])


_SMALL: Final = {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": " - ",
    "\u2026": "...", "\u00a0": " ", "\u2764": " red heart ", "\u2665": " red heart ",
    "\u2639": " sad face ", "\u263a": " happy face ", "\U0001f602": " face with tears of joy ",
    "\U0001f60d": " smiling face in love ", "\U0001f62d": " loudly crying face ",
    "\U0001f44d": " thumbs up ", "\U0001f44e": " thumbs down ", "\U0001f64f": " thank you hands ",
    "\U0001f389": " party celebration ", "\U0001f525": " fire ", "\U0001f4af": " hundred points ",
    "\U0001f60a": " smiling face ", "\U0001f642": " smiling face ",
    "\U0001f643": " upside down face ",
    "\U0001f620": " angry face ", "\U0001f621": " angry face ", "\U0001f92e": " vomiting face ",
    "\U0001f622": " crying face ", "\U0001f494": " broken heart ", "\U0001f44c": " ok hand ",
}  # fmt: skip


@lru_cache(maxsize=8192)
def _spell(char: str) -> str:
    """One character outside ASCII, as the encoder's vocabulary can hold it."""
    if char in _SMALL:
        return _SMALL[char]
    category = unicodedata.category(char)
    if category in ("Cf", "Cs", "Co", "Cn", "Cc"):
        return " " if char == "\u200b" else ""
    if category == "Sk" and "EMOJI MODIFIER" in unicodedata.name(char, ""):
        return ""
    if 0xFE00 <= ord(char) <= 0xFE0F or char == "\u20e3":
        return ""
    if 0x1F1E6 <= ord(char) <= 0x1F1FF:
        return " "
    if category == "So" and ord(char) >= 0x2300:
        return f" {unicodedata.name(char, '').lower().replace('-', ' ')} "
    return char
