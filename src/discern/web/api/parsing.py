"""Reads and writes JSON with limits: how large a body may be, and what counts as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from discern.errors import InvalidInput, TooLarge


def read_body(stream: IO[bytes], *, headers: Mapping[str, Any], limit: int) -> bytes:
    """The whole body, never more than ``limit`` bytes of it in memory.

    Raises:
        TooLarge: more than ``limit`` bytes.
    """
    check_length(headers, limit=limit)
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise _too_large(limit)
    return body


def check_length(headers: Mapping[str, Any], *, limit: int) -> None:
    """Raises TooLarge when the request itself declares more than ``limit`` bytes."""
    declared = headers.get("CONTENT_LENGTH") or ""
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)


def json_object(request: Request) -> dict[str, Any]:
    """The request's JSON object.

    Raises:
        InvalidInput: no body, or JSON that is not an object.
    """
    data = request.data
    if not isinstance(data, dict) or request.META.get("CONTENT_LENGTH", "0") in {"", "0"}:
        raise InvalidInput("The body must be a JSON object.", field="body")
    return data


def check_fields(data: Mapping[str, Any], known: Set[str]) -> None:
    """Raises InvalidInput naming a field that is not ``known``: most often it is a misspelled one,
    which would be ignored without a word."""
    if unknown := data.keys() - known:
        field = min(unknown)
        raise InvalidInput(f"'{field}' is not a field of this request.", field=field)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"The body is larger than {limit:,} bytes, the limit of this address.",
        field="body",
        limit=limit,
    )


class JsonParser(BaseParser):
    """JSON by orjson, which refuses NaN, lone surrogates and anything after the value."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        context = parser_context or {}
        body = read_body(
            stream, headers=context["request"].META, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        )
        if not body:
            return {}
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"The body is not JSON: {error}.", field="body") from None


class JsonRenderer(BaseRenderer):
    """JSON by orjson."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class FirstRenderer(DefaultContentNegotiation):
    """Answers in the view's own format whatever Accept says, as RFC 9110 section 12.5.1 allows:
    an error a caller can read beats a 406."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type or "application/json"
