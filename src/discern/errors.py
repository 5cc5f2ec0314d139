"""Every error the core raises, each with a stable code and no HTTP status.

DiscernError                internal_error
├── InvalidInput            invalid_input        a value breaks a rule; names the field
│   ├── EmptyInput          empty_input          nothing to work on
│   ├── TooLarge            too_large            over a stated limit
│   ├── UnsupportedMedia    unsupported_media    not one of the accepted file kinds
│   └── CorruptMedia        corrupt_media        the right kind, but unreadable
├── NotFound                not_found
│   └── ModelNotFound       model_not_found
├── Unavailable             unavailable          try again later; may carry retry_after_s
│   ├── ModelNotReady       model_not_ready      known, but not loaded or not pulled
│   ├── Overloaded          overloaded           the queue is full
│   ├── Draining            draining             the server is stopping
│   └── EngineUnreachable   engine_unreachable   the model server did not answer
├── DeadlineExceeded        deadline_exceeded    the caller's time ran out
├── Cancelled               cancelled            the caller went away
├── InferenceFailed         inference_failed     the runtime failed on this item
├── BundleInvalid           bundle_invalid       a model folder breaks its contract
│   └── DigestMismatch      digest_mismatch
├── DownloadFailed          download_failed
├── MissingExtra            missing_extra        an optional dependency is not installed
├── Unauthorized            unauthorized         a missing or wrong token
└── ConfigurationInvalid    configuration_invalid
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self


class DiscernError(Exception):
    """Base of the family.

    Args:
        message: one sentence for a person: what is wrong and what is allowed.
        field: the input field at fault, as the caller named it (``texts[3]``).
        limit: the limit that was broken, in the unit the message names.
        retry_after_s: seconds after which trying again makes sense.
    """

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        limit: float | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.limit = limit
        self.retry_after_s = retry_after_s

    def to_dict(self) -> dict[str, Any]:
        """The error as plain data for a wire; absent parts are left out."""
        parts = {
            "code": self.code,
            "message": self.message,
            "field": self.field,
            "limit": self.limit,
            "retry_after_s": self.retry_after_s,
        }
        return {key: value for key, value in parts.items() if value is not None}

    def __reduce__(self) -> tuple[Any, ...]:
        return (error_from_dict, (self.to_dict(),))


class InvalidInput(DiscernError):
    code = "invalid_input"


class EmptyInput(InvalidInput):
    code = "empty_input"


class TooLarge(InvalidInput):
    code = "too_large"


class UnsupportedMedia(InvalidInput):
    code = "unsupported_media"


class CorruptMedia(InvalidInput):
    code = "corrupt_media"


class NotFound(DiscernError):
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class Unavailable(DiscernError):
    code = "unavailable"


class ModelNotReady(Unavailable):
    code = "model_not_ready"


class Overloaded(Unavailable):
    code = "overloaded"


class Draining(Unavailable):
    code = "draining"


class EngineUnreachable(Unavailable):
    """``cut_off`` tells a server that was asked and then went away from one that took no request.
    It is what this process saw, so it is pickled with the error but not sent over a wire."""

    code = "engine_unreachable"
    cut_off = False

    @classmethod
    def while_asked(cls, message: str, *, retry_after_s: float | None = None) -> Self:
        """The error of a connection that was lost while the server was at work."""
        error = cls(message, retry_after_s=retry_after_s)
        error.cut_off = True
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return (*super().__reduce__(), {"cut_off": self.cut_off})


class DeadlineExceeded(DiscernError):
    code = "deadline_exceeded"


class Cancelled(DiscernError):
    code = "cancelled"


class InferenceFailed(DiscernError):
    code = "inference_failed"


class BundleInvalid(DiscernError):
    code = "bundle_invalid"


class DigestMismatch(BundleInvalid):
    code = "digest_mismatch"


class DownloadFailed(DiscernError):
    code = "download_failed"


class MissingExtra(DiscernError):
    code = "missing_extra"


class Unauthorized(DiscernError):
    code = "unauthorized"


class ConfigurationInvalid(DiscernError):
    code = "configuration_invalid"


def _family(root: type[DiscernError]) -> dict[str, type[DiscernError]]:
    found = {root.code: root}
    for child in root.__subclasses__():
        if child.__module__ == __name__:  # a door's own errors never cross the core's wire
            found.update(_family(child))
    return found


def errors_by_code() -> Mapping[str, type[DiscernError]]:
    """Every code of the family and its class; the doors' tables are tested against it."""
    return _family(DiscernError)


def error_from_dict(data: Mapping[str, Any]) -> DiscernError:
    """Rebuilds an error from :meth:`DiscernError.to_dict`, so a remote engine raises what a
    local one would. An unknown code becomes a plain :class:`DiscernError`."""
    cls = errors_by_code().get(str(data.get("code")), DiscernError)
    return cls(
        str(data.get("message", "the model server reported an error")),
        field=data.get("field"),
        limit=data.get("limit"),
        retry_after_s=data.get("retry_after_s"),
    )
