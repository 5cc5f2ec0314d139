"""The WSGI entry of the web application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "discern.web.settings")

_django = get_wsgi_application()

from discern.web import shortcut  # noqa: E402 - its models need Django set up


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django's, with a short way for plain requests. A whole answer is handed over as such: the
    server sends a list in one piece, with its length, and anything else part by part."""
    kind = shortcut.kind_of(environ)
    if kind is not None and (answer := shortcut.answer(environ, kind)) is not None:
        headers, content = answer
        start_response("200 OK", headers)
        return [content]
    response = _django(environ, start_response)
    if not isinstance(response, HttpResponse):
        return response
    if kind is not None and response.status_code == 200:
        shortcut.learn(kind, response.items())
    body = [response.content]
    response.close()
    return body
