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


def give(environ: dict[str, Any], *, verdict: Verdict, error: Exception | None = None) -> None:
    """Notes that the request was counted, and what the engine raised if it was asked."""
    environ[_VERDICT] = verdict
    environ[_ERROR] = error


def verdict(environ: Mapping[str, Any]) -> Verdict | None:
    """The count that was made already."""
    given: Verdict | None = environ.get(_VERDICT)
    return given


def raise_error(environ: Mapping[str, Any]) -> None:
    """Raises what the engine raised already, for the view to answer as its own."""
    error: Exception | None = environ.get(_ERROR)
    if error is not None:
        raise error
