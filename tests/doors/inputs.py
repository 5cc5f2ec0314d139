"""The one table of good and bad inputs that every door is tried with, and of the statuses that
each HTTP door must answer the core's errors by: written down here, not taken from the doors."""

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


STATUSES = {
    "internal_error": 500,
    "invalid_input": 400,
    "empty_input": 400,
    "too_large": 413,
    "unsupported_media": 415,
    "corrupt_media": 422,
    "not_found": 404,
    "model_not_found": 404,
    "unavailable": 503,
    "model_not_ready": 503,
    "overloaded": 503,
    "draining": 503,
    "engine_unreachable": 503,
    "deadline_exceeded": 504,
    "cancelled": 499,
    "inference_failed": 500,
    "bundle_invalid": 500,
    "digest_mismatch": 500,
    "download_failed": 502,
    "missing_extra": 501,
    "unauthorized": 502,  # the door's own token was refused, which its caller cannot help
    "configuration_invalid": 500,
}
"""Core error code -> HTTP status at every door, those of :data:`OWN_STATUSES` set aside."""

OWN_STATUSES = {
    "model_server": {"unauthorized": 401},  # there it is the caller's token
    "web": {"cancelled": 408},
}


def statuses_of(door: str) -> dict[str, int]:
    """Core error code -> HTTP status at one door."""
    return STATUSES | OWN_STATUSES.get(door, {})


@dataclass(frozen=True, slots=True)
class BadBody:
    """A request body that every door must refuse, and by which core code."""

    name: str
    body: bytes
    code: str

    @property
    def status(self) -> int:
        """The HTTP status at every door."""
        return STATUSES[self.code]


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
