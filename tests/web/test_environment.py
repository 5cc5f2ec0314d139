"""A wrong setting stops the process with the variable and the rule; every setting is documented."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from discern.errors import ConfigurationInvalid
from discern.setting_names import PREFIX
from discern.web import host
from discern.web.environment import (
    Environment,
    load_environment,
    load_site_environment,
)
from discern.web.storage import caches, databases
from tests.web import settings_page
from tests.web.live import ROOT, free_port

SETTINGS_PAGE = ROOT / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DISCERN_HOME", str(tmp_path))


def read() -> Environment:
    return load_environment.__wrapped__()


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("DEBUG", "maybe", "boolean"),
        ("WEB_PORT", "99999", "65535"),
        ("WEB_PORT", "http", "integer"),
        ("WEB_THREADS", "0", "greater than or equal to 1"),
        ("SECRET_KEY", "short", "50 characters"),
        ("DATABASE_URL", "mysql://localhost/x", "sqlite://, postgresql://"),
        ("DATABASE_URL", "postgresql://localhost", "name a database"),
        ("CACHE_URL", "memcached://x", "redis://"),
        ("BROKER_URL", "kafka://x", "amqp://"),
        ("MODEL_SERVER_URL", "localhost:8600", "http://"),
        ("ALLOWED_HOSTS", "http://example.org", "without http://"),
        ("TRUSTED_ORIGINS", "example.org", "https://example.org"),
        ("RATE_KEY", "many", "600/minute"),
        ("RATE_KEY", "0/minute", "600/minute"),
        ("LOG_LEVEL", "LOUD", "INFO"),
        ("MAX_BODY_BYTES", "-1", "1024"),
        ("JOB_LEASE_S", "0", "greater than or equal to 1"),
        ("RECOMMENDATION_EXPERIMENTS", "variety", "must be JSON"),
        ("RECOMMENDATION_EXPERIMENTS", '{"x": {}}', "at least 1 item"),
        ("RECOMMENDATION_EXPERIMENTS", '{"x": {"a": {"diversity": 2}}}', "less than or equal to 1"),
        ("RECOMMENDATION_EXPERIMENTS", '{"x": {"a": {"modle": "b"}}}', "not permitted"),
    ],
)
def test_a_wrong_value_is_refused_by_variable_and_rule(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, rule: str
) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(ConfigurationInvalid) as caught:
        read()
    line = caught.value.message.splitlines()[1]
    assert line.strip().startswith(f"{PREFIX}{name}: ")
    assert rule in line


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_DEBUG", "maybe")
    monkeypatch.setenv("DISCERN_WEB_PORT", "x")
    with pytest.raises(ConfigurationInvalid) as caught:
        read()
    assert "DISCERN_DEBUG" in caught.value.message
    assert "DISCERN_WEB_PORT" in caught.value.message


def test_a_name_that_is_no_setting_is_refused_with_the_wrong_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PREFIX + "WEB_PROT", "9000")
    with pytest.raises(ConfigurationInvalid, match="did you mean DISCERN_WEB_PORT"):
        load_site_environment()
    monkeypatch.setenv("DISCERN_DEBUG", "maybe")
    with pytest.raises(ConfigurationInvalid) as caught:
        load_site_environment()
    assert len(caught.value.message.splitlines()) == 3


def test_a_project_that_takes_an_app_in_is_only_warned_of_its_own_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PREFIX + "NEWSROOM", "1")
    assert read().web_port == 8000
    with pytest.warns(UserWarning, match=PREFIX + "NEWSROOM: there is no such setting"):
        assert host.defaults()["WORKER_THREADS"] == 4


def test_a_secret_is_never_shown_in_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_SECRET_KEY", "hunter2")
    monkeypatch.setenv("DISCERN_DATABASE_URL", "mysql://root:hunter2@db/x")
    with pytest.raises(ConfigurationInvalid) as caught:
        read()
    assert "hunter2" not in caught.value.message


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_WEB_PORT", "")
    assert read().web_port == 8000


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_ALLOWED_HOSTS", "a.example, b.example,")
    assert read().allowed_hosts == ["a.example", "b.example"]


def test_the_secret_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    first, second = read().signing_key, read().signing_key
    assert first == second
    assert len(first) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_postgresql_needs_a_secret_that_all_processes_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCERN_DATABASE_URL", "postgresql://u:p%40ss@db:5433/site?sslmode=require")
    with pytest.raises(ConfigurationInvalid, match="DISCERN_SECRET_KEY"):
        _ = read().signing_key
    found = databases(read())["default"]
    assert (found["USER"], found["PASSWORD"], found["HOST"]) == ("u", "p@ss", "db")
    assert (found["PORT"], found["NAME"], found["OPTIONS"]["sslmode"]) == (
        "5433",
        "site",
        "require",
    )


def test_sqlite_lies_in_the_home_folder_or_where_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert databases(read())["default"]["NAME"] == str(tmp_path / "discern.sqlite3")
    monkeypatch.setenv("DISCERN_DATABASE_URL", f"sqlite:///{tmp_path}/own/site.db")
    assert databases(read())["default"]["NAME"] == f"{tmp_path}/own/site.db"


def test_the_cache_is_local_or_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "locmem" in caches(read())["default"]["BACKEND"]
    monkeypatch.setenv("DISCERN_CACHE_URL", "redis://localhost:6379/1")
    assert caches(read())["default"]["LOCATION"] == "redis://localhost:6379/1"


@pytest.mark.parametrize("module", ["discern.web", "discern.web.serve"])
def test_a_program_with_a_wrong_setting_ends_with_a_readable_line_and_status_2(
    module: str, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "DISCERN_HOME": str(tmp_path),
        "DISCERN_WEB_PORT": "x",
        "DJANGO_SETTINGS_MODULE": "discern.web.settings",
    }
    done = subprocess.run(
        [sys.executable, "-m", module, "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "DISCERN_WEB_PORT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_settings_page_is_what_the_programs_really_take() -> None:
    assert SETTINGS_PAGE.read_text(encoding="utf-8") == settings_page.page()


def test_the_site_s_own_checks_find_nothing(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "DISCERN_HOME": str(tmp_path),
        "DISCERN_HTTPS": "1",
        "DISCERN_SECRET_KEY": secrets.token_urlsafe(50),
        "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{free_port()}",
        "DJANGO_SETTINGS_MODULE": "discern.web.settings",
    }
    done = subprocess.run(
        [sys.executable, "-m", "discern.web", "check", "--deploy"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    warnings = set(re.findall(r"\((\w+\.W\d+)\)", done.stderr))
    # Subdomains and preloading are for who owns the whole domain to decide.
    assert warnings <= {"security.W005", "security.W021"}, done.stderr


def test_every_migration_is_written_down(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "discern.web", "makemigrations", "--check", "--dry-run"],
        env={
            **os.environ,
            "DISCERN_HOME": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "discern.web.settings",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
