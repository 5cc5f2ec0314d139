"""The kinds of values that settings hold, and how each is read from a variable's text."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

_RATE = re.compile(r"[1-9][0-9]*/(second|minute|hour|day)")


def _split(value: Any) -> Any:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_rate(value: Any) -> Any:
    if not isinstance(value, str) or not _RATE.fullmatch(value):
        raise ValueError("must be a whole number and a period, such as 600/minute")
    return value


def check_url(value: str, schemes: tuple[str, ...]) -> str:
    scheme = urlsplit(value).scheme
    if scheme not in schemes:
        allowed = ", ".join(f"{name}://" for name in schemes)
        raise ValueError(f"must be an address that starts with one of {allowed}")
    return value


def _parse_json(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("must be JSON") from None


class ArmOptions(BaseModel):
    """One way to rank of an experiment: what is left out is as the request says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    diversity: float | None = Field(default=None, ge=0, le=1)
    exploration: float | None = Field(default=None, ge=0, le=1)
    model: str | None = Field(default=None, min_length=1)
    share: float = Field(default=1.0, gt=0)


Experiments = Annotated[
    dict[str, Annotated[dict[str, ArmOptions], Field(min_length=1)]],
    NoDecode,
    BeforeValidator(_parse_json),
]
Names = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Rate = Annotated[str, BeforeValidator(_check_rate)]
