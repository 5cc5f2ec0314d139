"""The site's own settings with the engine that reads moods off a word list."""

from __future__ import annotations

import os

from discern.web.settings import *  # noqa: F403
from discern.web.settings import DATABASES, ENVIRONMENT, INSTALLED_APPS, LOGGING

LOGGING["loggers"]["httpx"] = {"level": "WARNING"}
ENGINE_FACTORY = os.environ.get("DISCERN_TEST_ENGINE", "tests.fakes.engine.WordEngine")
INSTALLED_APPS = [*INSTALLED_APPS, "tests.web.chores"]
if ENVIRONMENT.sqlite_path is not None:
    # Threads and processes must see one database, so it is a file and not memory.
    DATABASES["default"]["TEST"] = {"NAME": str(ENVIRONMENT.home / "test.sqlite3")}
# Django's own test client signs in often; the real hasher is proved by the live site's tests.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
