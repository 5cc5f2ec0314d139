"""Turns the environment's database, cache and file addresses into Django's settings for them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from discern.errors import ConfigurationInvalid
from discern.web.environment import Environment

SQLITE_WAIT_S = 20
"""How long a writer waits for another one before it gives up; writes here take milliseconds."""

SQLITE_SYNCHRONOUS = "FULL"
"""What was answered 202 survives a power cut, not only a crash of the process."""

_SQLITE_PRAGMAS = (
    f"PRAGMA journal_mode=WAL; PRAGMA synchronous={SQLITE_SYNCHRONOUS}; PRAGMA temp_store=MEMORY; "
    "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=67108864"
)


def databases(environment: Environment) -> dict[str, dict[str, Any]]:
    """The DATABASES setting: SQLite in WAL mode, or PostgreSQL, by the address's scheme."""
    path = environment.sqlite_path
    if path is None:
        return {"default": _postgresql(environment.database_url)}
    if not path.is_absolute():
        path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationInvalid(
            f"DISCERN_DATABASE_URL: cannot make the folder {path.parent} ({error.strerror})."
        ) from error
    return {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(path),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                # A transaction that reads and then writes would otherwise fail at once with
                # "database is locked" instead of waiting its turn.
                "transaction_mode": "IMMEDIATE",
                "timeout": SQLITE_WAIT_S,
                "init_command": _SQLITE_PRAGMAS,
            },
        }
    }


def _postgresql(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 300,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(parts.query))},
    }


def caches(environment: Environment) -> dict[str, dict[str, Any]]:
    """The CACHES setting: this process's memory, or Redis shared by all."""
    if environment.cache_url == "local":
        return {
            "default": {
                "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
                "OPTIONS": {"MAX_ENTRIES": 50_000},
            }
        }
    return {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": environment.cache_url,
            "KEY_PREFIX": "discern",
        }
    }


def file_storages(environment: Environment) -> dict[str, dict[str, Any]]:
    """The STORAGES setting: uploads in a folder, or in a bucket of an S3-compatible service."""
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    if environment.storage == "local":
        uploads = {
            "BACKEND": "discern.web.uploads.storing.DurableFileSystemStorage",
            "OPTIONS": {
                "location": environment.home / "files",
                "file_permissions_mode": 0o600,
                "directory_permissions_mode": 0o700,
            },
        }
    else:
        parts = urlsplit(environment.storage)
        options: dict[str, Any] = {"bucket_name": parts.netloc, "default_acl": "private"}
        if prefix := parts.path.strip("/"):
            options["location"] = prefix
        if environment.s3_endpoint:
            options["endpoint_url"] = environment.s3_endpoint
        uploads = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    return {"staticfiles": static, "default": uploads, "uploads": uploads}
