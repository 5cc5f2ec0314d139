"""The one table of good and bad inputs that every door is tried with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from discern.text.contract import MAX_TEXT_CHARS

GOOD_TEXTS = (
    "good",
    "This is so good.",
    "bad bad bad",
    "  spaces around  ",
    "línea una\nline two\ttab",
    "日本語のテキスト",
    "👍👍🏽 👩‍👩‍👧",
    "nul\x00inside",
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "word " * 2000,
)


@dataclass(frozen=True, slots=True)
class BadBody:
    """A request body that every door must refuse, and by which core code."""

    name: str
    body: bytes
    code: str


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


BAD_BODIES = (
    BadBody("empty", b"", "invalid_input"),
    BadBody("not json", b"text=good", "invalid_input"),
    BadBody("cut off", b'{"text": "go', "invalid_input"),
    BadBody("not utf-8", b'{"text": "\xff\xfe"}', "invalid_input"),
    BadBody("null", b"null", "invalid_input"),
    BadBody("array", _json(["good"]), "invalid_input"),
    BadBody("number", b"3", "invalid_input"),
    BadBody("string", _json("good"), "invalid_input"),
    BadBody("missing", b"{}", "empty_input"),
    BadBody("text null", _json({"text": None}), "invalid_input"),
    BadBody("text number", _json({"text": 3}), "invalid_input"),
    BadBody("text list", _json({"text": ["good"]}), "invalid_input"),
    BadBody("text object", _json({"text": {"a": 1}}), "invalid_input"),
    BadBody("text true", _json({"text": True}), "invalid_input"),
    BadBody("text blank", _json({"text": " \n "}), "empty_input"),
    BadBody("text too long", _json({"text": "x" * (MAX_TEXT_CHARS + 1)}), "too_large"),
    BadBody("half a surrogate pair", b'{"text": "\\ud800"}', "invalid_input"),
    BadBody("deeply nested", b"[" * 50_000, "invalid_input"),
)


@dataclass(frozen=True, slots=True)
class BadText:
    """A text that every door must refuse, and by which core code."""

    name: str
    text: str
    code: str


BAD_TEXTS = (
    BadText("empty", "", "empty_input"),
    BadText("blank", " \t\n\u2003", "empty_input"),
    BadText("too long", "x" * (MAX_TEXT_CHARS + 1), "too_large"),
)
