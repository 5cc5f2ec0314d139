"""Sentiment for Flask: a Blueprint for any Engine, and an app of its own.

``flask --app discern.flask run`` serves ``POST /analyze``.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from discern.engine.interface import Engine
from discern.errors import DiscernError, EmptyInput, InvalidInput, TooLarge
from discern.text.contract import check_text

MAX_BODY_BYTES: Final = 1_000_000
STATUS: Final[dict[str, int]] = {
    "internal_error": 500,
    "invalid_input": 400,
    "empty_input": 400,
    "too_large": 413,
    "unsupported_media": 415,
    "corrupt_media": 422,
    "not_found": 404,
    "model_not_found": 404,
    "unavailable": 503,
    "model_not_ready": 503,
    "overloaded": 503,
    "draining": 503,
    "engine_unreachable": 503,
    "deadline_exceeded": 504,
    "cancelled": 499,
    "inference_failed": 500,
    "bundle_invalid": 500,
    "digest_mismatch": 500,
    "download_failed": 502,
    "missing_extra": 501,
    # Our own token was refused by the model server, which the caller can do nothing about.
    "unauthorized": 502,
    "configuration_invalid": 500,
}
"""Error code -> HTTP status, for every code of the core."""
_REFUSED: Final = ("GET", "HEAD", "PUT", "PATCH", "DELETE")


def blueprint(engine: Engine, *, name: str = "discern", url_prefix: str = "") -> Blueprint:
    """A Blueprint that answers ``POST /analyze`` from ``engine``.

    ``{"text": "..."}`` gives ``{"text", "sentiment", "score"}``; every error is JSON with the
    message under ``error`` and the stable code under ``code`` (but for the missing or blank text,
    which has no code). A body may have 1 MB, or less where the application's own
    ``MAX_CONTENT_LENGTH`` is lower.
    """
    routes = Blueprint(name, __name__, url_prefix=url_prefix)

    @routes.post("/analyze", provide_automatic_options=False)
    def analyze() -> Response:
        text = _text_of_request()
        [result] = engine.analyze([text])
        return jsonify(text=text, sentiment=result.label.upper(), score=result.score)

    # An application's router answers other methods itself, in HTML and past a Blueprint's handlers.
    @routes.route("/analyze", methods=_REFUSED, provide_automatic_options=False)
    def refuse() -> Response:
        raise MethodNotAllowed(valid_methods=["OPTIONS", "POST"])

    @routes.route("/analyze", methods=["OPTIONS"])
    def options() -> Response:
        return Response(headers={"Allow": "OPTIONS, POST"})

    routes.register_error_handler(DiscernError, _core_error)
    routes.register_error_handler(HTTPException, _http_error)
    return routes


def create_app(engine: Engine | None = None) -> Flask:
    """A Flask application with the Blueprint and JSON errors for every path.

    Args:
        engine: where to analyze; models in this process if None.
    """
    if engine is None:
        from discern.engine.local import LocalEngine

        engine = LocalEngine()
    app = Flask("discern")
    app.register_blueprint(blueprint(engine))
    app.register_error_handler(HTTPException, _http_error)
    app.extensions["discern"] = engine
    return app


def _text_of_request() -> str:
    limit = min(request.max_content_length or MAX_BODY_BYTES, MAX_BODY_BYTES)
    request.max_content_length = limit
    try:
        if request.content_length is None and len(request.get_data()) >= limit:
            # Werkzeug cuts a body without a length at the limit, and says nothing.
            raise RequestEntityTooLarge
        body: Any = request.get_json(force=True)
    except RequestEntityTooLarge:
        raise
    except (HTTPException, RecursionError):
        raise InvalidInput('The body must be JSON, like {"text": "..."}.') from None
    if not isinstance(body, dict):
        raise InvalidInput('The body must be a JSON object, like {"text": "..."}.')
    text = body.get("text", "")
    if isinstance(text, str) and not text.strip():
        raise EmptyInput("No text provided", field="text")
    return check_text(text)


def _core_error(error: DiscernError) -> tuple[Response, int, dict[str, str]]:
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)  # a code of somebody's own
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    body: dict[str, Any] = {"error": error.message}
    if not (isinstance(error, EmptyInput) and error.field == "text"):
        # The empty text's answer is exactly what callers of the plain recipe compare with.
        body["code"] = error.code
    return jsonify(body), status, headers


def _http_error(error: HTTPException) -> tuple[Response, int, dict[str, str]]:
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if isinstance(error, RequestEntityTooLarge):
        message = f"The body is larger than {request.max_content_length:,} bytes."
        return jsonify(error=message, code=TooLarge.code), status, {}
    code = error.name.lower().replace(" ", "_")  # not_found, method_not_allowed
    headers = {name: value for name, value in error.get_headers() if name == "Allow"}
    return jsonify(error=error.description or error.name, code=code), status, headers
