"""The one table from an error's code to an HTTP answer, and the problem documents (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from discern.errors import DiscernError, Unavailable

MEDIA_TYPE: Final = "application/problem+json"
DEFAULT_RETRY_S: Final = 1

STATUS_BY_CODE: Final[Mapping[str, HTTPStatus]] = {
    "internal_error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "invalid_input": HTTPStatus.BAD_REQUEST,
    "empty_input": HTTPStatus.BAD_REQUEST,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "corrupt_media": HTTPStatus.UNPROCESSABLE_ENTITY,
    "not_found": HTTPStatus.NOT_FOUND,
    "model_not_found": HTTPStatus.NOT_FOUND,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "model_not_ready": HTTPStatus.SERVICE_UNAVAILABLE,
    "overloaded": HTTPStatus.SERVICE_UNAVAILABLE,
    "draining": HTTPStatus.SERVICE_UNAVAILABLE,
    "engine_unreachable": HTTPStatus.SERVICE_UNAVAILABLE,
    "deadline_exceeded": HTTPStatus.GATEWAY_TIMEOUT,
    "cancelled": HTTPStatus.REQUEST_TIMEOUT,
    "inference_failed": HTTPStatus.INTERNAL_SERVER_ERROR,
    "bundle_invalid": HTTPStatus.INTERNAL_SERVER_ERROR,
    "digest_mismatch": HTTPStatus.INTERNAL_SERVER_ERROR,
    "download_failed": HTTPStatus.BAD_GATEWAY,
    "missing_extra": HTTPStatus.NOT_IMPLEMENTED,
    # Raised by a core room this means that our own token was refused by the model server, which
    # the caller can do nothing about; a caller without a key is told "not_authenticated".
    "unauthorized": HTTPStatus.BAD_GATEWAY,
    "configuration_invalid": HTTPStatus.INTERNAL_SERVER_ERROR,
    # The codes below are this door's own.
    "length_required": HTTPStatus.LENGTH_REQUIRED,
    "not_authenticated": HTTPStatus.UNAUTHORIZED,
    "authentication_failed": HTTPStatus.UNAUTHORIZED,
    "permission_denied": HTTPStatus.FORBIDDEN,
    "csrf_failed": HTTPStatus.FORBIDDEN,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "conflict": HTTPStatus.CONFLICT,
    "throttled": HTTPStatus.TOO_MANY_REQUESTS,
    "storage_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "storage_away": HTTPStatus.SERVICE_UNAVAILABLE,
    "quota_exceeded": HTTPStatus.FORBIDDEN,
    "offset_mismatch": HTTPStatus.CONFLICT,
    "unsupported_version": HTTPStatus.PRECONDITION_FAILED,
    "idempotency_key_reused": HTTPStatus.UNPROCESSABLE_ENTITY,
}


def problem(
    code: str,
    detail: str,
    *,
    status: int | None = None,
    request_id: str | None = None,
    field: str | None = None,
    limit: float | None = None,
    errors: Sequence[Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """One problem document as plain data.

    ``errors`` lists ``{"field", "detail"}`` when several fields are wrong; ``limit`` is in the
    unit that ``detail`` names.
    """
    found = HTTPStatus(status) if status else STATUS_BY_CODE[code]
    parts: dict[str, Any] = {
        "type": f"urn:discern:problem:{code}",
        "title": found.phrase,
        "status": found.value,
        "detail": detail,
        "code": code,
        "field": field,
        "limit": limit,
        "errors": list(errors) if errors else None,
        "request_id": request_id,
    }
    return {key: value for key, value in parts.items() if value is not None}


def problem_of(error: DiscernError, *, request_id: str | None = None) -> dict[str, Any]:
    """The problem document of a core error."""
    return problem(
        error.code,
        error.message,
        status=_status_of(error),
        field=error.field,
        limit=error.limit,
        request_id=request_id,
    )


def _status_of(error: DiscernError) -> HTTPStatus:
    """An app's own error that is not in the table has the status of what it is a kind of."""
    codes = (getattr(cls, "code", "") for cls in type(error).__mro__)
    return next(STATUS_BY_CODE[code] for code in codes if code in STATUS_BY_CODE)


def retry_after(error: DiscernError) -> int | None:
    """Whole seconds for the Retry-After header, or None when trying again would not help."""
    if error.retry_after_s is not None:
        return max(1, math.ceil(error.retry_after_s))
    return DEFAULT_RETRY_S if isinstance(error, Unavailable) else None
