"""The one table from core error codes to HTTP statuses."""

from __future__ import annotations

from typing import Final

from discern.errors import DiscernError

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
    "unauthorized": 401,
    "forbidden": 403,
    "configuration_invalid": 500,
    "method_not_allowed": 405,
}

OUTCOME: Final[dict[str, str]] = {
    "deadline_exceeded": "expired",
    "cancelled": "cancelled",
}


def status_of(error: DiscernError) -> int:
    """The HTTP status of an error."""
    return STATUS.get(error.code, 500)


def outcome_of(error: DiscernError) -> str:
    """How the metrics count it: ``expired``, ``cancelled``, ``rejected`` (the caller's fault, or
    no room) or ``failed`` (ours)."""
    named = OUTCOME.get(error.code)
    if named is not None:
        return named
    status = status_of(error)
    return "rejected" if status < 500 or status == 503 else "failed"
