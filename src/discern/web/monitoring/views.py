"""Answers to probes and scrapers."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse


def live(_request: HttpRequest) -> JsonResponse:
    """200 whenever the process answers at all."""
    return JsonResponse({"status": "live"})
