"""Reads query strings of recommendations, and describes them for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from discern.errors import InvalidInput
from discern.recommendations.contract import MAX_LIST, Filters
from discern.web.recommendations.batches import check_batch

PAGE = [
    OpenApiParameter("cursor", str, description="From `next` or `previous`."),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200}),
]
PERSON = OpenApiParameter(
    "person",
    str,
    description="Your own id of the person; only a staff or service account may name another "
    "than itself. Left out, it is you.",
)
LENGTH = OpenApiParameter("n", {"type": "integer", "minimum": 1, "maximum": MAX_LIST})
FILTERS = [
    OpenApiParameter("category", str, many=True, description="Only these categories."),
    OpenApiParameter("tag", str, many=True, description="Only contents with one of these tags."),
    OpenApiParameter("exclude", str, many=True, description="Never these contents."),
    OpenApiParameter("seen", bool, description="Also what the person has met already."),
    OpenApiParameter("unavailable", bool, description="Also what cannot be had at the moment."),
]


def filters_of(request: Request) -> Filters:
    """What the list may hold; InvalidInput when a flag is neither true nor false."""
    query = request.query_params
    return Filters(
        categories=tuple(query.getlist("category")),
        tags=tuple(query.getlist("tag")),
        exclude=tuple(query.getlist("exclude")),
        allow_seen=flag_of(request, "seen", default=False),
        allow_unavailable=flag_of(request, "unavailable", default=False),
    )


def length_of(request: Request) -> int:
    """``n``, 10 if left out; InvalidInput when it is no number from 1 to the longest list."""
    text = request.query_params.get("n", "10")
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= MAX_LIST):
        raise InvalidInput(
            f"'n' must be a whole number from 1 to {MAX_LIST}.", field="n", limit=MAX_LIST
        )
    return int(text)


def number_of(request: Request, name: str, default: float) -> float:
    """A number of the query string."""
    try:
        return float(request.query_params.get(name, default))
    except ValueError:
        raise InvalidInput(f"'{name}' must be a number.", field=name) from None


def flag_of(request: Request, name: str, *, default: bool) -> bool:
    """``true`` or ``1``, ``false`` or ``0`` of the query string."""
    text = request.query_params.get(name, str(default)).lower()
    if text not in ("1", "true", "0", "false"):
        raise InvalidInput(f"'{name}' must be true or false.", field=name)
    return text in ("1", "true")


def id_of(value: object, *, field: str) -> UUID | None:
    """A UUID, or None for None."""
    if value is None:
        return None
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidInput(f"'{field}' is not an id.", field=field) from None


def rows_of(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a batch, within its limits."""
    rows = data.get(name)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"'{name}' must be a list of objects.", field=name)
    check_batch(rows, field=name)
    return rows
