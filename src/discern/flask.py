"""Sentiment for Flask: a Blueprint for any Engine, and an app of its own.

``flask --app discern.flask run`` serves ``POST /analyze``.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from discern.engine.interface import Engine
from discern.errors import DiscernError, EmptyInput, InvalidInput, TooLarge
from discern.text.contract import check_text

MAX_BODY_BYTES: Final = 1_000_000
STATUS: Final[dict[str, int]] = {
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
    "unauthorized": 502,
}
"""Error code -> HTTP status; a code that is not here is a fault of ours: 500."""


def blueprint(engine: Engine, *, name: str = "discern", url_prefix: str = "") -> Blueprint:
    """A Blueprint that answers ``POST /analyze`` from ``engine``.

    ``{"text": "..."}`` gives ``{"text", "sentiment", "score"}``; every error is JSON with the
    message under ``error`` and the stable code under ``code``.
    """
    routes = Blueprint(name, __name__, url_prefix=url_prefix)

    @routes.post("/analyze")
    def analyze() -> Response:
        text = _text_of_request()
        [result] = engine.analyze([text])
        return jsonify(text=text, sentiment=result.label.upper(), score=result.score)

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
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.register_blueprint(blueprint(engine))
    app.register_error_handler(HTTPException, _http_error)
    app.extensions["discern"] = engine
    return app


def _text_of_request() -> str:
    try:
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
    status = STATUS.get(error.code, HTTPStatus.INTERNAL_SERVER_ERROR)
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    body: dict[str, Any] = {"error": error.message}
    if not (isinstance(error, EmptyInput) and error.field == "text"):
        # The empty text's answer is exactly what callers of the plain recipe compare with.
        body["code"] = error.code
    return jsonify(body), status, headers


def _http_error(error: HTTPException) -> tuple[Response, int]:
    if isinstance(error, RequestEntityTooLarge):
        message = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
        return jsonify(error=message, code=TooLarge.code), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return jsonify(error=error.description or error.name), error.code or 500
