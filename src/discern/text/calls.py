"""Cuts many texts into calls that are each answered in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from discern.text.contract import MAX_TEXTS, TIMELY_CHARS

Item = TypeVar("Item")


def timely_calls(
    items: Iterable[Item], chars: Callable[[Item], int], most: int = MAX_TEXTS
) -> Iterator[list[Item]]:
    """The items in order, in lists of ``most`` at the most that hold ``TIMELY_CHARS`` characters at
    the most, where ``chars`` tells an item's. An item longer than that is a list of its own."""
    call: list[Item] = []
    size = 0
    for item in items:
        length = chars(item)
        if call and (len(call) >= most or size + length > TIMELY_CHARS):
            yield call
            call, size = [], 0
        call.append(item)
        size += length
    if call:
        yield call
