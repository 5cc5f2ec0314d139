"""Reads and writes JSON with limits: how large a body may be, and what counts as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from discern.errors import TooLarge
from discern.web.api.errors import LengthRequired, MalformedJson


def read_body(stream: IO[bytes], *, headers: Mapping[str, Any], limit: int) -> bytes:
    """The whole body, never more than ``limit`` bytes of it in memory.

    Raises:
        LengthRequired: the body comes in chunks, whose length WSGI does not tell.
        TooLarge: more than ``limit`` bytes.
    """
    declared = headers.get("CONTENT_LENGTH") or ""
    if not declared and headers.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired("Send the body with a Content-Length, not in chunks.")
    too_large = TooLarge(
        f"The body is larger than {limit:,} bytes, the limit of this address.",
        field="body",
        limit=limit,
    )
    if declared.isdigit() and int(declared) > limit:
        raise too_large
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise too_large
    return body


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
            raise MalformedJson(f"The body is not JSON: {error}.") from None


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
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type or "application/json"
