"""Requests and lists as plain data for a wire, and back; knows no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from discern.errors import InvalidInput
from discern.recommendations.contract import (
    Filters,
    Interaction,
    Reason,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
)


def _defaults(plain: Any) -> dict[str, Any]:
    return {field.name: getattr(plain, field.name) for field in fields(plain)}


def _told(given: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, default in defaults.items()
        if (value := getattr(given, name)) != default
    }


def request_to_dict(request: RecommendationRequest) -> dict[str, Any]:
    """The inverse of :func:`request_from_dict`; says nothing of what is as it is by default, which
    is most of a history."""
    data = _told(request, _REQUEST)
    if request.history:
        data["history"] = [_told(event, _EVENT) for event in request.history]
    if "filters" in data:
        data["filters"] = filters_to_dict(request.filters)
    return data


def request_from_dict(data: Mapping[str, Any]) -> RecommendationRequest:
    """Raises:
    InvalidInput: a field is missing, unknown or of the wrong kind.
    """
    history = data.get("history", [])
    if not isinstance(history, list):
        raise InvalidInput("'history' must be a list.", field="history")
    events = tuple(_event(event, place) for place, event in enumerate(history))
    filters = filters_from_dict(data.get("filters") or {})
    seen = _strings(data.get("seen", ()), "seen")
    person = data.get("person", "")
    if not isinstance(person, str):
        raise InvalidInput("'person' must be a string.", field="person")
    apart = ("history", "filters", "seen", "person")
    rest = {key: value for key, value in data.items() if key not in apart}
    numbers = {"n": int, "diversity": float, "exploration": float, "now": float, "day": int}
    for name, value in rest.items():
        if name not in numbers:
            raise InvalidInput(f"'{name}' is not a field of a request.", field=name)
        if name in ("now", "day") and value is None:
            continue
        allowed = (int,) if numbers[name] is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise InvalidInput(f"'{name}' must be a number.", field=name)
    return RecommendationRequest(history=events, filters=filters, seen=seen, person=person, **rest)


def filters_to_dict(filters: Filters) -> dict[str, Any]:
    """The inverse of :func:`filters_from_dict`, again without the defaults."""
    return _told(filters, _FILTERS)


def filters_from_dict(data: Mapping[str, Any]) -> Filters:
    """Raises:
    InvalidInput: a field is unknown or of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput("'filters' must be an object.", field="filters")
    parts: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("categories", "tags", "exclude"):
            parts[name] = _strings(value, name)
        elif name in ("allow_seen", "allow_unavailable"):
            if not isinstance(value, bool):
                raise InvalidInput(f"'{name}' must be true or false.", field=name)
            parts[name] = value
        else:
            raise InvalidInput(f"'{name}' is not a filter.", field=name)
    return Filters(**parts)


def _strings(value: object, field: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
        raise InvalidInput(f"'{field}' must be a list of strings.", field=field)
    return tuple(value)


def list_to_dict(found: RecommendationList) -> dict[str, Any]:
    """``{"model": {name, version}, "items": [...]}``."""
    return {
        "model": {"name": found.model_name, "version": found.model_version},
        "items": [
            {
                "content": item.content,
                "score": item.score,
                "reason": {
                    "kind": item.reason.kind,
                    "content": item.reason.content,
                    "category": item.reason.category,
                },
            }
            for item in found.items
        ],
    }


def list_from_dict(data: Mapping[str, Any]) -> RecommendationList:
    """The inverse.

    Raises:
        KeyError, TypeError, ValueError: the data are not that shape.
    """
    items = tuple(
        Recommendation(
            content=str(item["content"]),
            score=float(item["score"]),
            reason=Reason(**item["reason"]),
        )
        for item in data["items"]
    )
    return RecommendationList(items, str(data["model"]["name"]), str(data["model"]["version"]))


_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
    "person": (str,),
    "content": (str,),
    "liked": (bool,),
    "disliked": (bool,),
    "view_time": (int, float),
    "at": (int, float),
}
_ABSENT: Final = object()
_REQUEST: Final = _defaults(RecommendationRequest())
_FILTERS: Final = _defaults(Filters())
_EVENT: Final = {
    name: default
    for name, default in _defaults(Interaction("", "")).items()
    if name in _KINDS  # its key says nothing to a list
} | {"person": _ABSENT, "content": _ABSENT}


def _event(data: object, place: int) -> Interaction:
    if not isinstance(data, Mapping):
        raise InvalidInput(f"'history[{place}]' must be an object.", field=f"history[{place}]")
    for name, value in data.items():
        if name not in _KINDS or not isinstance(value, _KINDS[name]):
            field = f"history[{place}].{name}"
            raise InvalidInput(f"'{field}' is not as it must be.", field=field)
    try:
        return Interaction(**data)
    except TypeError as error:
        field = f"history[{place}]"
        raise InvalidInput(f"'{field}' lacks a field: {error}.", field=field) from error
