"""A carrier whose messages can be read."""

from __future__ import annotations

import pytest

from discern.web.jobs import services
from tests.web.jobs.working import Messages


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    kept = Messages()
    monkeypatch.setattr(services, "carrier", lambda: kept)
    return kept
