"""Which kinds of jobs there are: a name, its table, and what to do with a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from discern.web.jobs.models import Job
    from discern.web.jobs.work import Work

Handler = Callable[["Work[Any]"], Mapping[str, Any] | None]
"""Does the work of one claimed row; returns further columns to set when the row becomes done.

It may be called again for the same row after any crash, so it must be idempotent, and it calls
``work.check()`` where it can stop. What it raises decides what becomes of the row; see
:mod:`discern.web.jobs.outcome`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job.

    ``lease_s`` is how long a dead worker's row stays unseen; a live one renews it three times in
    that time. ``time_limit_s`` ends the renewing, so that a hung handler loses its row.
    ``max_attempts`` counts tries since the row last made progress. ``put_in_due`` puts in what a
    schedule says and returns how many rows those were; every sweeper asks it, so it must be cheap
    and let only one of them win. ``tidy`` removes what is left over and returns how much of what;
    every worker asks it now and then, so it too lets only one of them win.
    """

    name: str
    model: type[Job]
    handler: Handler
    lease_s: float = 30.0
    time_limit_s: float = 900.0
    max_attempts: int = 3
    put_in_due: Callable[[], int] | None = None
    tidy: Callable[[], Mapping[str, int]] | None = None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Adds a kind; called from an app's ``ready``. The same name again replaces it."""
    _kinds[kind.name] = kind


def kinds() -> list[Kind]:
    """Every registered kind."""
    return list(_kinds.values())


def kind_named(name: str) -> Kind:
    """The kind of that name; KeyError if none is registered."""
    return _kinds[name]


def kind_of(model: type[Job]) -> Kind:
    """The kind whose rows lie in ``model``'s table; LookupError if none is registered."""
    for kind in _kinds.values():
        if kind.model is model:
            return kind
    raise LookupError(f"no kind of job is registered for {model.__name__}")
