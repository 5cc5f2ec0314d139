"""Errors that only this door raises; like the core's, each has a stable code."""

from __future__ import annotations

from discern.errors import DiscernError, InvalidInput


class LengthRequired(InvalidInput):
    code = "length_required"


class Conflict(DiscernError):
    code = "conflict"
