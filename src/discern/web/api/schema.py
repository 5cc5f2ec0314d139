"""The OpenAPI 3 document: made once for each process, with every operation's problems in it."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import condition, require_safe
from drf_spectacular.generators import SchemaGenerator

from discern.web.api.problems import MEDIA_TYPE

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 describes it.",
    "properties": {
        "type": {"type": "string", "description": "A URN that ends in the code."},
        "title": {"type": "string", "description": "The status in words."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for a person."},
        "code": {"type": "string", "description": "Stable; what a program should look at."},
        "field": {"type": "string", "description": "The input field at fault."},
        "limit": {"type": "number", "description": "The limit that was broken."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_PROBLEM_CONTENT: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ALWAYS: Final = {
    "429": "Too many requests; Retry-After says when to come back.",
    "503": "The model server or the database is away or overloaded; Retry-After says for how long.",
}
_WITH_BODY: Final = {
    "400": "The input breaks a rule; `field` names where.",
    "411": "The body came in chunks, without a length.",
    "413": "Over a stated limit; `limit` gives it.",
    "415": "A media type this address does not read.",
}
_WITH_CHANGE: Final = {
    "409": "The thing is in another state than this needs.",
    "413": _WITH_BODY["413"],
}
_WITH_CALLER: Final = {
    "401": "No key or session, or one that is not valid.",
    "403": "The session's CSRF token is missing, or this caller may not do this.",
}


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: the problem answers each operation can give."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            for status, description in _problems_of(path, method, operation).items():
                operation["responses"].setdefault(status, _response(description))
            for status, response in operation["responses"].items():
                if status >= "400":  # a problem that the view itself describes
                    response.setdefault("content", _PROBLEM_CONTENT)
    return result


def _problems_of(path: str, method: str, operation: dict[str, Any]) -> dict[str, str]:
    found = dict(_ALWAYS)
    if method in {"post", "put", "patch"}:
        found |= _WITH_CHANGE
    if "requestBody" in operation:
        found |= _WITH_BODY
        found["504"] = "The model did not answer in time."
    elif operation.get("parameters"):
        found |= {status: _WITH_BODY[status] for status in ("400", "413")}
    if operation.get("security") != [{}]:
        found |= _WITH_CALLER
    if "{" in path:
        found["404"] = "There is no such thing, or it is another person's."
    return found


def _response(description: str) -> dict[str, Any]:
    return {"description": description, "content": _PROBLEM_CONTENT}


def document() -> dict[str, Any]:
    """The whole document, as plain data."""
    generated: dict[str, Any] = SchemaGenerator().get_schema(  # type: ignore[no-untyped-call]
        request=None, public=True
    )
    return generated


@lru_cache(maxsize=1)
def _serialized() -> tuple[bytes, str]:
    body = orjson.dumps(document(), default=str)
    return body, f'"{sha256(body).hexdigest()[:32]}"'


@require_safe
@condition(etag_func=lambda _request: _serialized()[1])
def openapi(_request: HttpRequest) -> HttpResponse:
    """The document as JSON."""
    body, _ = _serialized()
    return HttpResponse(body, content_type="application/vnd.oai.openapi+json")


@ensure_csrf_cookie
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The reference page; its scripts and styles come from this origin."""
    return render(request, "api/docs.html", {"csrf_cookie": settings.CSRF_COOKIE_NAME})
