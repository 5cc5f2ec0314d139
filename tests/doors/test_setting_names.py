"""The names of settings that a process knows are those that the programs really read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from discern.cli.up import _environment as environment_of
from discern.cli.up import up
from discern.errors import ConfigurationInvalid
from discern.model_server.settings import PREFIX as MODEL_SERVER_PREFIX
from discern.model_server.settings import ModelServerSettings, load_settings
from discern.setting_names import KNOWN_NAMES, MODEL_SERVER_NAMES, PREFIX, SITE_NAMES
from discern.web.environment import Environment

ROOT = Path(__file__).parents[2]
PARTS = ("src", "tests", "benchmarks", "deploy", "docs", "console/src", ".ci", "training")
MISTYPED = PREFIX + "WEB_PROT"


def sources() -> Iterator[Path]:
    yield from (ROOT / name for name in ("Makefile", "README.md", "CONTRIBUTING.md"))
    yield ROOT / "console" / "vite.config.ts"
    endings = {".py", ".sh", ".yaml", ".yml", ".env", ".md", ".ts", ".tsx", ""}
    for part in PARTS:
        for path in (ROOT / part).rglob("*"):
            named = path.suffix in endings and "console_dist" not in path.parts
            if named and path.is_file():
                yield path


def test_the_site_and_the_model_server_read_exactly_the_known_names() -> None:
    assert {PREFIX + name.upper() for name in Environment.model_fields} == SITE_NAMES
    own = {MODEL_SERVER_PREFIX + name.upper() for name in ModelServerSettings.model_fields}
    assert own == MODEL_SERVER_NAMES


def test_no_file_of_this_project_names_a_variable_that_would_be_refused() -> None:
    found = {
        name
        for path in sources()
        for name in re.findall(r"\bDISCERN_[A-Z0-9_]*[A-Z0-9]\b", path.read_text("utf-8", "ignore"))
    }
    assert len(found) > 60
    assert found <= KNOWN_NAMES


@pytest.mark.parametrize(
    "command",
    [
        ["discern.cli", "up", "--port", "0"],
        ["discern.cli", "models", "list"],
        ["discern.cli", "model-server", "--check"],
        ["discern.web", "check"],
        ["discern.web.serve"],
    ],
    ids=lambda command: " ".join(command),
)
def test_no_program_starts_with_a_mistyped_name(command: list[str], tmp_path: Path) -> None:
    environment = {**os.environ, "DISCERN_HOME": str(tmp_path), MISTYPED: "9000"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        env={**environment, "DJANGO_SETTINGS_MODULE": "discern.web.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert f"{MISTYPED}: there is no such setting; did you mean DISCERN_WEB_PORT?" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_is_called_like_a_program_leaves_its_port_standing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCERN_WEB_PORT", "tcp://10.96.0.5:8000")
    monkeypatch.setenv("DISCERN_MODEL_SERVER_PORT", "tcp://10.96.0.6:80")
    assert Environment().web_port == 8000
    assert load_settings().port == 8600


def test_everything_starts_beside_services_that_are_called_like_the_programs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DISCERN_WEB_PORT", "tcp://10.96.0.5:8000")
    monkeypatch.setenv("DISCERN_MODEL_SERVER_PORT", "tcp://10.96.0.6:80")
    monkeypatch.delenv("DISCERN_MODEL_SERVER_URL", raising=False)
    port = up.make_context("up", []).params["port"]
    assert port == 8000
    own = environment_of("127.0.0.1", port, tmp_path, demo=False)
    model_port = own["DISCERN_MODEL_SERVER_PORT"]
    assert int(model_port) > 0
    assert own["DISCERN_MODEL_SERVER_URL"] == f"http://127.0.0.1:{model_port}"


def test_the_model_server_takes_the_site_s_names_and_tells_a_mistyped_one_with_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCERN_WEB_PORT", "8000")
    monkeypatch.setenv("DISCERN_MODEL_SERVER_URL", "http://127.0.0.1:8600")
    assert load_settings(port=8601).port == 8601
    monkeypatch.setenv(MISTYPED, "9000")
    monkeypatch.setenv("DISCERN_MODEL_SERVER_PORT", "x")
    with pytest.raises(ConfigurationInvalid) as caught:
        load_settings()
    assert MISTYPED in caught.value.message
    assert "DISCERN_MODEL_SERVER_PORT" in caught.value.message
