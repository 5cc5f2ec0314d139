"""The site's own settings with the engine that reads moods off a word list."""

from __future__ import annotations

from discern.web.settings import *  # noqa: F403

ENGINE_FACTORY = "tests.fakes.engine.WordEngine"
