"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine makes any example slow now and then; what is slow is for benchmarks to say.
settings.register_profile("discern", deadline=None)
settings.load_profile("discern")
