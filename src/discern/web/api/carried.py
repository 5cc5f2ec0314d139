"""What the short way did for a request before Django saw it, so that it is not done twice.

It lies in the WSGI environment under names that no header can have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from discern.web.api.throttles import Verdict

_VERDICT: Final = "discern.verdict"
_ERROR: Final = "discern.error"


def give(
    environ: dict[str, Any], *, verdict: Verdict | None, error: Exception | None = None
) -> None:
    """Notes that the request was counted, and what the engine raised if it was asked; without a
    ``verdict``, what counting raised."""
    environ[_VERDICT] = verdict
    environ[_ERROR] = error


def verdict(environ: Mapping[str, Any]) -> Verdict | None:
    """The count that was made already; raises what was raised instead of it."""
    given: Verdict | None = environ.get(_VERDICT)
    if given is None:
        raise_error(environ)
    return given


def raise_error(environ: Mapping[str, Any]) -> None:
    """Raises what was raised already, to be answered as if it were raised here."""
    error: Exception | None = environ.get(_ERROR)
    if error is not None:
        raise error
