"""Gives every request an id that its answer, its problems and its log lines carry."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest, HttpResponseBase

_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("request_id", default="-")


def take_request_id(environ: Mapping[str, Any]) -> str:
    """The caller's X-Request-Id when it is well formed, else a new one; log lines carry it from
    here on."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if given and _ACCEPTED.fullmatch(given) else secrets.token_hex(8)
    # Kept after the answer too: Django logs a failed one only then. The thread's next request
    # replaces it.
    _current.set(request_id)
    return request_id


class RequestIdMiddleware:
    """Keeps a caller's X-Request-Id when it is well formed, else makes one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = take_request_id(request.META)
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers["X-Request-Id"] = request_id
        return response


class RequestIdFilter(logging.Filter):
    """Makes ``request_id`` available to log formats; ``-`` outside a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get()
        return True
