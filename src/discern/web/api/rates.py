"""What a rate limit is; imports nothing of Django, because the settings are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """``limit`` requests in any ``period_s`` seconds."""

    limit: int
    period_s: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Reads ``600/minute``; the environment has already checked the form."""
        count, _, period = text.partition("/")
        return cls(int(count), _SECONDS[period])
