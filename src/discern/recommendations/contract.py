"""What crosses the wall of the recommendations room."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from discern.errors import InvalidInput, TooLarge

TASK: Final = "recommendation"
"""The catalog's task of these models."""

MAX_ID_CHARS: Final = 200
"""The longest id of a person or a content, in Unicode code points."""

MAX_TEXT_CHARS: Final = 20_000
"""How much of a content's text is read; the rest is cut off."""

MAX_TAGS: Final = 64
"""The most tags one content may carry."""

MAX_LIST: Final = 500
"""The longest list that can be asked for."""

MAX_HISTORY: Final = 200
"""How many of a person's newest interactions shape a list."""

MAX_EVENTS: Final = 2_000
"""The most events one request's history may hold."""

MAX_SEEN: Final = 20_000
"""How many of the contents a person met last are kept out of their lists."""

MAX_EXCLUDED: Final = 10_000
"""The most ids one request may exclude."""

MAX_VIEW_SECONDS: Final = 86_400.0
"""Longer view times are read as this one."""

ReasonKind = Literal["because", "popular", "new", "similar"]


@dataclass(frozen=True, slots=True)
class Content:
    """Something that can be suggested. ``created_at`` is in seconds since 1970, UTC."""

    id: str
    title: str = ""
    text: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    created_at: float | None = None
    available: bool = True


@dataclass(frozen=True, slots=True)
class Interaction:
    """What a person did with a content, at ``at`` seconds since 1970, UTC.

    ``view_time`` is in seconds. With neither a like, a dislike nor a view time it is a plain
    visit, which counts like a short view. ``key`` tells it from the person's other events, so that
    telling it twice is harmless; one without is known by all the rest.
    """

    person: str
    content: str
    liked: bool = False
    disliked: bool = False
    view_time: float = 0.0
    at: float = 0.0
    key: str = ""


def no_later_than(now: float, event: Interaction) -> Interaction:
    """The interaction as it is stored: what would lie ahead happens ``now``, as a clock that is
    fast would otherwise keep the newest place in a history for itself."""
    return event if event.at <= now else replace(event, at=now)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list may hold. Empty ``categories`` or ``tags`` allow all; one common tag is enough.

    ``allow_seen`` also lists what the person has met already; ``allow_unavailable`` what cannot
    be had at the moment.
    """

    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_seen: bool = False
    allow_unavailable: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a content is in a list, and where it is in it.

    ``because`` names the content of the person's history that spoke for it the most, where that
    outweighs its popularity or lists it further up than popularity would; ``popular`` that many
    liked it; ``new`` that it is too new to be known by others and fits by its text, in
    ``category``; ``similar`` the content it was asked to resemble.
    """

    kind: ReasonKind
    content: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One line of a list. Scores order one list and mean nothing across lists."""

    content: str
    score: float
    reason: Reason


@dataclass(frozen=True, slots=True)
class RecommendationList:
    """A list, best first, and the model it is from."""

    items: tuple[Recommendation, ...]
    model_name: str
    model_version: str


@dataclass(frozen=True, slots=True)
class RecommendationRequest:
    """Asks for a list for someone with this history, newest or oldest first alike.

    ``seen`` names what the person met besides the history, up to :data:`MAX_SEEN` contents: it
    shapes nothing, but is not listed either. ``diversity`` runs from 0 (the likeliest only) to 1
    (as unlike one another as can be); ``exploration`` is the share of the list kept for contents
    too new to be known; ``now`` ages the history (its newest event if None). Which of the new
    contents are in the list hangs on ``person``, the history's own if empty, and on ``day``, in
    days since 1970, that of ``now`` if None.
    """

    history: tuple[Interaction, ...] = ()
    n: int = 10
    filters: Filters = field(default_factory=Filters)
    diversity: float = 0.0
    exploration: float = 0.1
    now: float | None = None
    seen: tuple[str, ...] = ()
    person: str = ""
    day: int | None = None


def check_request(request: RecommendationRequest) -> RecommendationRequest:
    """Returns ``request``, or raises an error that names the field and the limit.

    Raises:
        InvalidInput: a number outside its range.
        TooLarge: too long a list or history, or too many ids seen or excluded.
    """
    check_count(request.n)
    for name, value in (("diversity", request.diversity), ("exploration", request.exploration)):
        if not math.isfinite(value) or not 0.0 <= value <= 1.0:
            raise InvalidInput(f"'{name}' must lie between 0 and 1.", field=name, limit=1.0)
    if len(request.history) > MAX_EVENTS:
        raise TooLarge(
            f"'history' holds {len(request.history):,} events; the limit is {MAX_EVENTS:,}.",
            field="history",
            limit=MAX_EVENTS,
        )
    _check_length(request.seen, MAX_SEEN, field="seen")
    _check_length(request.filters.exclude, MAX_EXCLUDED, field="exclude")
    return request


def _check_length(ids: Sequence[str], limit: int, *, field: str) -> None:
    if len(ids) > limit:
        raise TooLarge(
            f"'{field}' holds {len(ids):,} ids; the limit is {limit:,}.", field=field, limit=limit
        )


def check_count(n: int, *, field: str = "n") -> int:
    """Returns a list's length, or raises if it is not from 1 to :data:`MAX_LIST`."""
    if n < 1:
        raise InvalidInput(f"'{field}' must be at least 1.", field=field, limit=1)
    if n > MAX_LIST:
        raise TooLarge(f"'{field}' must be at most {MAX_LIST}.", field=field, limit=MAX_LIST)
    return n


def check_id(value: object, *, field: str) -> str:
    """Returns the id as a string (whole numbers are accepted), or raises naming ``field``."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidInput(f"'{field}' must be a string or a whole number.", field=field)
    text = str(value).strip()
    if not text or "\x00" in text:
        raise InvalidInput(f"'{field}' must not be blank.", field=field)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"'{field}' holds half a character.", field=field) from None
    if len(text) > MAX_ID_CHARS:
        raise TooLarge(
            f"'{field}' has {len(text):,} characters; the limit is {MAX_ID_CHARS}.",
            field=field,
            limit=MAX_ID_CHARS,
        )
    return text


def check_contents(contents: Sequence[Content]) -> list[Content]:
    """Contents with every id once, the last one of a duplicated id winning."""
    latest = {check_id(content.id, field="content_id"): content for content in contents}
    return list(latest.values())
