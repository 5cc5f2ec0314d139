"""A short way for the busiest request: one text, sent with an API key, its mood not recorded.

Django and its REST framework take most of such a request's time in this process for what comes out
the same each time. Here the same functions are called that the long way calls (the key, the rate's
count, the text's checks, the engine, the metrics), and nothing else; what is decided is decided
there. The headers that middlewares and views add are not written down here either: they are those
that the long way gave an earlier request with the same headers.

Whatever is not plain, or turns out wrong, takes the long way from its first byte, with what must
not happen twice carried along: the request's id, the count, and what the counts or the engine
raised.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from django.conf import settings
from django.db import close_old_connections
from django.urls import resolve

from discern.errors import DiscernError
from discern.web.accounts.authentication import key_of
from discern.web.api import carried, throttles
from discern.web.api.middleware import take_request_id
from discern.web.middlewares import OWN_MIDDLEWARES
from discern.web.monitoring import middleware as monitoring
from discern.web.text import services
from discern.web.text.views import answer_of

PATH: Final = "/api/v1/analyze"
MOST_BYTES: Final = 16_384
"""Longer bodies are no hurry: their text takes longer than all of Django."""
MOST_KINDS: Final = 256
MOST_KIND_CHARS: Final = 8_192
"""Together the kinds take 2 MB at most, whatever somebody with a key writes into headers."""
_OWN_EACH: Final = frozenset(
    {
        "HTTP_AUTHORIZATION",
        "HTTP_X_REQUEST_ID",
        # With a key nobody asks where a request came from.
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_REAL_IP",
        "HTTP_FORWARDED",
        # Balancers and tracers put another one into each request, and nothing here reads them.
        "HTTP_TRACEPARENT",
        "HTTP_TRACESTATE",
        "HTTP_B3",
        "HTTP_X_B3_TRACEID",
        "HTTP_X_B3_SPANID",
        "HTTP_X_B3_PARENTSPANID",
        "HTTP_X_AMZN_TRACE_ID",
        "HTTP_X_CLOUD_TRACE_CONTEXT",
        "HTTP_X_REQUEST_START",
        "HTTP_CF_RAY",
        "HTTP_CF_CONNECTING_IP",
    }
)
_SERVER: Final = (
    "CONTENT_TYPE",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "wsgi.url_scheme",
)
_OWN_ANSWER: Final = frozenset(
    {
        "content-length",
        "x-request-id",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
    }
)

Kind = tuple[object, ...]
Answer = tuple[list[tuple[str, str]], bytes]
_learned: dict[Kind, list[tuple[str, str]]] = {}


def kind_of(environ: Mapping[str, Any]) -> Kind | None:
    """What the answer's headers may depend on in a request that may be plain, else None."""
    if (
        environ.get("PATH_INFO") != PATH
        or environ.get("REQUEST_METHOD") != "POST"
        or environ.get("QUERY_STRING")
        or environ.get("SCRIPT_NAME")
        or "HTTP_AUTHORIZATION" not in environ
        or "HTTP_COOKIE" in environ
    ):
        return None
    length = environ.get("CONTENT_LENGTH") or ""
    if not (length.isascii() and length.isdigit() and len(length) < 6):
        return None
    if not 0 < int(length) <= min(MOST_BYTES, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
        return None
    headers = [
        (name, value)
        for name, value in environ.items()
        if name[:5] == "HTTP_" and name not in _OWN_EACH
    ]
    return (*headers, *[environ.get(name) for name in _SERVER])


def learn(kind: Kind, headers: Iterable[tuple[str, str]]) -> None:
    """Takes note of the headers with which the long way answered 200 to a request of ``kind``."""
    # Of a middleware that an operator or a tracer adds nobody knows what it does: it has to see
    # every request.
    if set(settings.MIDDLEWARE) != set(OWN_MIDDLEWARES) or len(repr(kind)) > MOST_KIND_CHARS:
        return
    lasting = [(name, value) for name, value in headers if name.lower() not in _OWN_ANSWER]
    if any(name.lower() == "set-cookie" for name, _ in lasting):
        return
    if len(_learned) >= MOST_KINDS:
        _learned.clear()
    _learned[kind] = lasting


def answer(environ: dict[str, Any], kind: Kind) -> Answer | None:
    """Headers and body of the answer 200; None where the long way is to be gone, for which
    ``environ`` holds the whole body again."""
    lasting = _learned.get(kind)
    if lasting is None:
        return None
    started = time.perf_counter()
    try:
        found = _answer(environ)
        if found is None:
            return None
        monitoring.observe("POST", _route(), 200, time.perf_counter() - started)
    except Exception:
        # The long way meets it again, and makes of it a line in the log and a problem document.
        return None
    headers, content = found
    return lasting + headers, content


def _answer(environ: dict[str, Any]) -> Answer | None:
    # The long way goes on with it: the lines logged so far must name the request that is answered.
    request_id = environ["HTTP_X_REQUEST_ID"] = take_request_id(environ)
    close_old_connections()
    # Before the body, as in the long way: who has no key must not hold a thread by sending one
    # byte by byte.
    key = key_of(environ["HTTP_AUTHORIZATION"])
    text = None if key is None else _text(environ)
    if key is None or text is None:
        return None
    try:
        verdict = throttles.count_key(key.pk)
    except Exception as error:
        carried.give(environ, verdict=None, error=error)
        return None
    carried.give(environ, verdict=verdict)
    if not verdict.allowed:
        return None
    try:
        moods = services.analyze(texts=[text])
    except Exception as error:
        carried.give(environ, verdict=verdict, error=error)
        return None
    content = orjson.dumps(answer_of(moods))
    headers = [
        *verdict.headers().items(),
        ("Content-Length", str(len(content))),
        ("X-Request-Id", request_id),
    ]
    return headers, content


def _text(environ: dict[str, Any]) -> str | None:
    length = int(environ["CONTENT_LENGTH"])
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    if len(body) != length:
        return None
    try:
        data = orjson.loads(body)
        if not isinstance(data, dict) or data.keys() != {"text"}:
            return None
        [text] = services.read_texts(data)
    except (ValueError, DiscernError):
        return None
    return text


def _route() -> str:
    global _known_route
    if not _known_route:
        _known_route = monitoring.route_of(resolve(PATH))
    return _known_route


_known_route = ""
