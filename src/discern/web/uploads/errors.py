"""Errors that only uploads raise; like the core's, each has a stable code."""

from __future__ import annotations

from discern.errors import InvalidInput, Unavailable


class StorageFull(Unavailable):
    code = "storage_full"


class StorageAway(Unavailable):
    code = "storage_away"


class QuotaExceeded(InvalidInput):
    code = "quota_exceeded"


class OffsetMismatch(InvalidInput):
    code = "offset_mismatch"


class UnsupportedVersion(InvalidInput):
    code = "unsupported_version"


class IdempotencyKeyReused(InvalidInput):
    code = "idempotency_key_reused"
