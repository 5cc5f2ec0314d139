"""Turns whatever a view, a middleware or Django itself raises into a problem document."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response

from discern.errors import Cancelled, DiscernError, InvalidInput, NotFound, TooLarge, Unavailable
from discern.web.api.problems import MEDIA_TYPE, problem, problem_of, retry_after

log = logging.getLogger(__name__)


def handle(exception: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception hook. None lets an unknown error reach Django, which logs its traceback
    and asks :func:`server_error` for the answer."""
    request_id = getattr(context["request"], "request_id", None)
    if isinstance(exception, exceptions.UnsupportedMediaType):
        read = " or ".join(parser.media_type for parser in context["view"].parser_classes)
        said = f"Send the body as {read}, and say so in Content-Type."
        exception.detail = exceptions.ErrorDetail(said, exception.default_code)
    body, headers = _describe(exception, request_id)
    if body is None:
        return None
    return Response(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _describe(
    exception: BaseException | None, request_id: str | None
) -> tuple[dict[str, Any] | None, dict[str, str]]:
    if isinstance(exception, exceptions.APIException):
        return _describe_drf(exception, request_id)
    error = _as_core(exception)
    if error is None:
        return None, {}
    body = problem_of(error, request_id=request_id)
    if body["status"] >= 500:
        log.warning("%s: %s (request %s)", error.code, error.message, request_id)
    wait = retry_after(error)
    return body, {} if wait is None else {"Retry-After": str(wait)}


def _as_core(exception: BaseException | None) -> DiscernError | None:
    match exception:
        case DiscernError():
            return exception
        case Http404():
            return NotFound("There is nothing at this address for you.")
        case RequestDataTooBig() | TooManyFilesSent():
            return TooLarge("The request is larger than allowed.")
        case UnreadablePostError():
            return Cancelled("The request's body ended early.")
        case SuspiciousOperation():
            return InvalidInput("The request is not acceptable.")
        case OperationalError() | InterfaceError():
            log.error("The database did not answer.", exc_info=exception)
            return Unavailable("The database did not answer; try again shortly.", retry_after_s=2)
        case _:
            return None


_DRF_CODES: Mapping[type[exceptions.APIException], str] = {
    exceptions.ParseError: "invalid_input",
    exceptions.AuthenticationFailed: "authentication_failed",
    exceptions.NotAuthenticated: "not_authenticated",
    exceptions.PermissionDenied: "permission_denied",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media",
    exceptions.Throttled: "throttled",
}


def _describe_drf(
    exception: exceptions.APIException, request_id: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if (wait := getattr(exception, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, round(wait)))
    if isinstance(exception, exceptions.ValidationError):
        return _describe_validation(exception, request_id), headers
    code = _DRF_CODES.get(type(exception), "internal_error")
    detail = str(exception.detail)
    if detail.startswith("CSRF Failed"):
        code = "csrf_failed"
        detail = "The X-CSRFToken header is missing or wrong; GET /api/v1/session returns it."
    return problem(code, detail, status=exception.status_code, request_id=request_id), headers


def _describe_validation(
    exception: exceptions.ValidationError, request_id: str | None
) -> dict[str, Any]:
    errors = list(_flatten(exception.detail))
    first = errors[0] if errors else {"field": "", "detail": "The input is not valid."}
    detail = first["detail"]
    if first["field"]:
        detail = f"'{first['field']}': {detail}"
    return problem(
        "invalid_input",
        detail,
        status=exception.status_code,
        field=first["field"] or None,
        errors=errors,
        request_id=request_id,
    )


def _flatten(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            name = path if key == "non_field_errors" else f"{path}.{key}" if path else str(key)
            yield from _flatten(value, name)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list)
            yield from _flatten(value, f"{path}[{index}]" if nested else path)
    else:
        yield {"field": path, "detail": str(detail)}


def _answer(request: HttpRequest, body: dict[str, Any], headers: dict[str, str]) -> HttpResponse:
    """The problem for the API; a plain line of text for a page, which no script will read."""
    if request.path.startswith("/api/"):
        return HttpResponse(
            orjson.dumps(body), status=body["status"], content_type=MEDIA_TYPE, headers=headers
        )
    return HttpResponse(
        f"{body['title']}: {body['detail']}\n",
        status=body["status"],
        content_type="text/plain; charset=utf-8",
        headers=headers,
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: says nothing of the cause, names the request to look up in the log."""
    request_id = getattr(request, "request_id", None)
    body, headers = _describe(sys.exception(), request_id)
    if body is None:
        body = problem(
            "internal_error",
            "Something went wrong on the server; it has been logged under the request id.",
            request_id=request_id,
        )
    return _answer(request, body, headers)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return _from(request, exception, Http404())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return _from(request, exception, SuspiciousOperation())


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return _from(request, exceptions.PermissionDenied(), exception)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return _from(request, exceptions.PermissionDenied(f"CSRF Failed: {reason}"), PermissionDenied())


def _from(request: HttpRequest, exception: Exception, fallback: Exception) -> HttpResponse:
    request_id = getattr(request, "request_id", None)
    body, headers = _describe(exception, request_id)
    if body is None:
        body, headers = _describe(fallback, request_id)
    if body is None:
        return server_error(request)
    return _answer(request, body, headers)
