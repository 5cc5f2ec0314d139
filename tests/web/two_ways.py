"""The site's entry and Django behind it, to be sent the same request."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from discern.web import shortcut, wsgi

GOOD = b'{"text": "good good"}'
DIFFERS = {"X-Request-Id", "RateLimit-Remaining", "RateLimit-Reset"}
Application = Callable[[dict[str, Any], Callable[..., Any]], Any]


@dataclass
class Answer:
    status: str
    headers: dict[str, str]
    body: bytes

    def lasting(self) -> tuple[str, dict[str, str], bytes]:
        """What must be the same whichever way it came."""
        body = self.body
        if request_id := self.headers.get("X-Request-Id"):
            body = body.replace(request_id.encode(), b"ID")
        return self.status, {n: v for n, v in self.headers.items() if n not in DIFFERS}, body


class Ways:
    """Sends requests to the site's entry, and to Django behind it."""

    def __init__(self, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secret = secret
        self.reached_django = 0
        self._django = wsgi._django
        monkeypatch.setattr(wsgi, "_django", self._counted)

    def _counted(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.reached_django += 1
        return self._django(environ, start_response)

    def site(self, body: bytes = GOOD, **changes: str | None) -> Answer:
        return self._send(wsgi.application, body, changes)

    def django(self, body: bytes = GOOD, **changes: str | None) -> Answer:
        return self._send(self._django, body, changes)

    def short(self, body: bytes = GOOD, **changes: str | None) -> Answer:
        """By the short way, or fails."""
        self.site(body, **changes)
        before = self.reached_django
        answer = self.site(body, **changes)
        assert self.reached_django == before
        return answer

    def _send(self, application: Application, body: bytes, changes: dict[str, Any]) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": shortcut.PATH,
            "QUERY_STRING": "",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_AUTHORIZATION": f"Bearer {self.secret}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **changes,
        }
        environ = {name: value for name, value in environ.items() if value is not None}
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        answered = application(environ, lambda status, headers: heads.append((status, headers)))
        content = b"".join(answered)
        if hasattr(answered, "close"):
            answered.close()
        [(status, headers)] = heads
        assert len(dict(headers)) == len(headers)
        return Answer(status, dict(headers), content)
