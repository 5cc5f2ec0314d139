"""Rate limits: one count for each API key, person or address, told in every answer's headers."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from discern.web.api import carried
from discern.web.api.counts import get_counts
from discern.web.api.rates import Rate


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a count says: may this request pass, how many are left, when is there room again."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """RateLimit fields as the IETF httpapi draft names them."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


def count(name: str, rate: Rate, *, now: float | None = None) -> Verdict:
    """Counts one request under ``name``, in every process that shares the counts.

    A sliding window made of two fixed ones: the last window's count fades linearly as this one
    goes on, so a burst at the seam of two windows cannot double the rate, and a client's memory
    is two numbers whatever its rate.
    """
    moment = time.time() if now is None else now
    window, elapsed = divmod(moment, rate.period_s)
    current, before = get_counts().add(name, rate.period_s, int(window))
    used = current + before * (1 - elapsed / rate.period_s)
    return Verdict(
        allowed=used <= rate.limit,
        limit=rate.limit,
        remaining=max(0, math.floor(rate.limit - used)),
        reset_s=max(1, math.ceil(rate.period_s - elapsed)),
    )


def count_key(key_id: UUID) -> Verdict:
    """Counts one request of an API key."""
    rates: dict[str, Rate] = settings.RATES
    return count(f"key:{key_id}", rates["key"])


class CallerThrottle(BaseThrottle):
    """Counts by API key, else by person, else by address; each kind has its own rate."""

    def __init__(self) -> None:
        self.verdict: Verdict | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self.verdict = carried.verdict(request.META) or self._count(request)
        request._request.rate_verdict = self.verdict  # type: ignore[attr-defined]
        return self.verdict.allowed

    def wait(self) -> float | None:
        return float(self.verdict.reset_s) if self.verdict else None

    def _count(self, request: Request) -> Verdict:
        rates: dict[str, Rate] = settings.RATES
        if request.auth is not None:
            return count_key(request.auth.pk)
        if request.user.is_authenticated:
            return count(f"user:{request.user.pk}", rates["user"])
        return count(f"address:{self.get_ident(request)}", rates["anonymous"])
