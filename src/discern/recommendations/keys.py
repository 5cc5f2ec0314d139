"""The keys that events are stored under: two of the same key are one event, told twice.

A key that was told is its person's own, so what is stored is a digest of both. An event without one
is known by all it says. What is stored can be told again, as an export does: :func:`told_again`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final

from discern.errors import InvalidInput
from discern.recommendations.contract import Interaction

MAX_KEY_CHARS: Final = 64
"""The longest key that may be told; a stored one told again is longer, so no two are confused."""

_AGAIN: Final = "stored:"
_STORED: Final = re.compile(r"[0-9a-f]{64}")


def stored_key(event: Interaction) -> str:
    """The key that the event is stored under, 64 hexadecimal digits."""
    if not event.key:
        said = (event.person, event.content, event.liked, event.disliked, event.view_time, event.at)
        return _digest(said)
    if is_told_again(event.key):
        return event.key[len(_AGAIN) :]
    return key_of(event.person, event.key)


def key_of(person: str, key: str) -> str:
    """What a person's event is stored under that came with this key."""
    return _digest(("key", person, key))


def told_again(stored: str) -> str:
    """A key that :func:`stored_key` gives back as ``stored``."""
    return _AGAIN + stored


def is_told_again(key: str) -> bool:
    """Whether that is what :func:`told_again` makes."""
    return key.startswith(_AGAIN) and _STORED.fullmatch(key, len(_AGAIN)) is not None


def is_stored(key: str) -> bool:
    """Whether a key can be one that is stored; older versions stored those told as they were."""
    return _STORED.fullmatch(key) is not None


def check_key(value: object, *, where: str) -> str:
    """The key of a row of plain values, '' for none; ``where`` names the row in errors.

    Raises:
        InvalidInput: neither a text nor a whole number, or too long.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(f"'key' in {where} must be a string or a whole number.", field="key")
    key = str(value)
    if "\x00" in key or (len(key) > MAX_KEY_CHARS and not is_told_again(key)):
        raise InvalidInput(
            f"'key' in {where} must have up to {MAX_KEY_CHARS} characters.", field="key"
        )
    return key


def _digest(parts: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
