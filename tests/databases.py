"""The database of a site that a test starts: SQLite in the site's home folder, or, where
``DISCERN_TEST_DATABASE_URL`` names a PostgreSQL, a fresh database of its own on that server."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

_VARIABLE = "DISCERN_TEST_DATABASE_URL"

only_on_sqlite = pytest.mark.skipif(
    bool(os.environ.get(_VARIABLE)), reason="of a site whose database is a file in its home folder"
)


class OwnDatabase:
    """Named at once, so that a site's environment can be told before there is a site; made by
    ``create`` and gone, with whoever is still connected, after ``drop``.

    ``settings`` are the site's environment with what it needs for that. They are as given, and
    nothing is made or dropped, where they name a database already and on SQLite.
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        named = "DISCERN_DATABASE_URL" in settings
        self._server = "" if named else os.environ.get(_VARIABLE, "")
        self._name = f"discern_{secrets.token_hex(6)}"
        self.settings = dict(settings)
        if self._server:
            url = urlsplit(self._server)._replace(path=f"/{self._name}").geturl()
            # A site makes up and keeps a key of its own only beside a SQLite file.
            key = secrets.token_urlsafe(64)
            self.settings = {"DISCERN_DATABASE_URL": url, "DISCERN_SECRET_KEY": key, **settings}

    def create(self) -> None:
        self._tell("CREATE DATABASE {}")

    def drop(self) -> None:
        # A process that a test killed has left its session on the server.
        self._tell("DROP DATABASE IF EXISTS {} WITH (FORCE)")

    def _tell(self, statement: LiteralString) -> None:
        if self._server:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(sql.SQL(statement).format(sql.Identifier(self._name)))
