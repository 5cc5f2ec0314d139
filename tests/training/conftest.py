"""Fixtures of the training tests; those that need torch are skipped without it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shipped() -> Path:
    from discern_training.sentiment.bundle import shipped_bundle

    return shipped_bundle()
