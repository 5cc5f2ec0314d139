"""Requests and lists as plain data for a wire, and back; knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from discern.errors import InvalidInput
from discern.recommendations.contract import (
    Filters,
    Interaction,
    Reason,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
)

T = TypeVar("T")


def request_to_dict(request: RecommendationRequest) -> dict[str, Any]:
    """The inverse of :func:`request_from_dict`."""
    return asdict(request)


def request_from_dict(data: Mapping[str, Any]) -> RecommendationRequest:
    """Raises:
    InvalidInput: a field is missing, unknown or of the wrong kind.
    """
    history = data.get("history", [])
    if not isinstance(history, list):
        raise InvalidInput("'history' must be a list.", field="history")
    events = tuple(_event(event, place) for place, event in enumerate(history))
    filters = filters_from_dict(data.get("filters") or {})
    rest = {key: value for key, value in data.items() if key not in ("history", "filters")}
    numbers = {"n": int, "diversity": float, "exploration": float, "now": float}
    for name, value in rest.items():
        if name not in numbers:
            raise InvalidInput(f"'{name}' is not a field of a request.", field=name)
        if name == "now" and value is None:
            continue
        allowed = (int,) if numbers[name] is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, allowed):
            raise InvalidInput(f"'{name}' must be a number.", field=name)
    return RecommendationRequest(history=events, filters=filters, **rest)


def filters_from_dict(data: Mapping[str, Any]) -> Filters:
    """Raises:
    InvalidInput: a field is unknown or of the wrong kind.
    """
    if not isinstance(data, Mapping):
        raise InvalidInput("'filters' must be an object.", field="filters")
    parts: dict[str, Any] = {}
    for name, value in data.items():
        if name in ("categories", "tags", "exclude"):
            if not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
                raise InvalidInput(f"'{name}' must be a list of strings.", field=name)
            parts[name] = tuple(value)
        elif name in ("allow_seen", "allow_unavailable"):
            if not isinstance(value, bool):
                raise InvalidInput(f"'{name}' must be true or false.", field=name)
            parts[name] = value
        else:
            raise InvalidInput(f"'{name}' is not a filter.", field=name)
    return Filters(**parts)


def list_to_dict(found: RecommendationList) -> dict[str, Any]:
    """``{"model": {name, version}, "items": [...]}``."""
    return {
        "model": {"name": found.model_name, "version": found.model_version},
        "items": [asdict(item) for item in found.items],
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


def _event(data: object, place: int) -> Interaction:
    field = f"history[{place}]"
    if not isinstance(data, Mapping):
        raise InvalidInput(f"'{field}' must be an object.", field=field)
    kinds: dict[str, tuple[type, ...]] = {
        "person": (str,),
        "content": (str,),
        "liked": (bool,),
        "disliked": (bool,),
        "view_time": (int, float),
        "at": (int, float),
    }
    for name, value in data.items():
        if name not in kinds or not isinstance(value, kinds[name]):
            raise InvalidInput(f"'{field}.{name}' is not as it must be.", field=f"{field}.{name}")
    return _made(lambda: Interaction(**data), field)


def _made(make: Callable[[], T], field: str) -> T:
    try:
        return make()
    except TypeError as error:
        raise InvalidInput(f"'{field}' lacks a field: {error}.", field=field) from error
