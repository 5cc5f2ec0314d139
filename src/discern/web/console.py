"""Serves the console: one page for every address that is not the API's, a file or a probe's."""

from __future__ import annotations

import secrets
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from discern.web.security import content_security_policy

NONCE_PLACEHOLDER = "__CSP_NONCE__"
"""What the console's build writes where the nonce of each response belongs."""

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Discern: console not built</title></head>
<body><h1>The console is not built yet</h1>
<p>The API is running at <a href="/api/v1/docs">/api/v1/docs</a>. To build the console, run
<code>make console</code> in the project folder and load this page again.</p></body></html>
"""


@ensure_csrf_cookie
@require_safe
def page(_request: HttpRequest, path: str = "") -> HttpResponse:
    """The console's page, whatever the path: the console's own router reads it."""
    if "." in path.rsplit("/", 1)[-1]:
        return HttpResponse("Not found\n", status=404, content_type="text/plain; charset=utf-8")
    index: Path = settings.CONSOLE_FOLDER / "index.html"
    try:
        html = index.read_text(encoding="utf-8")
    except FileNotFoundError:
        return HttpResponse(_NOT_BUILT, status=503, headers={"Cache-Control": "no-store"})
    nonce = secrets.token_urlsafe(16)
    return HttpResponse(
        html.replace(NONCE_PLACEHOLDER, nonce),
        headers={
            "Content-Security-Policy": content_security_policy(nonce),
            "Cache-Control": "no-store",
        },
    )
