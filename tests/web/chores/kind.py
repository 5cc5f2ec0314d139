"""What a chore does is chosen by each test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from discern.web.jobs.registry import Kind
from discern.web.jobs.work import Work
from tests.web.chores.models import Chore

Doing = Callable[[Work[Chore]], Mapping[str, Any] | None]


def _nothing(_work: Work[Chore]) -> Mapping[str, Any] | None:
    return {"result": "nothing"}


class Chosen:
    """The function that chores call; a test puts its own here."""

    doing: Doing = staticmethod(_nothing)

    @classmethod
    def reset(cls) -> None:
        cls.doing = staticmethod(_nothing)


KIND = Kind(
    "chore", Chore, lambda work: Chosen.doing(work), lease_s=0.6, time_limit_s=3.0, max_attempts=3
)
