"""What ``discern up`` refuses before it starts anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from discern.errors import ConfigurationInvalid
from tests.doors.test_cli import run


@pytest.mark.parametrize("port", ["99999999", "65536", "-1", "http"])
def test_a_port_that_cannot_be_is_a_wrong_option(port: str) -> None:
    result = run("up", "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.stderr


def refusal(*arguments: str) -> str:
    """What `discern up` says when it does not start."""
    result = run("up", "--port", "0", *arguments)
    assert isinstance(result.exception, ConfigurationInvalid), result.output
    return result.exception.message


@pytest.mark.parametrize("home", ["/proc/none", "a_file/sub"])
def test_a_home_that_cannot_be_written_to_is_named_at_once(tmp_path: Path, home: str) -> None:
    (tmp_path / "a_file").write_text("")
    message = refusal("--home", str(tmp_path / home))
    assert message.startswith(f"Cannot write to {tmp_path / home} (")
    assert "--home" in message


@pytest.mark.parametrize(
    ("name", "what"),
    [("TEXT_JOB_MAX_ROWS", "environment is"), ("MODEL_SERVER_WORKERS", "settings are")],
)
def test_a_wrong_setting_of_any_program_is_named_once_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    monkeypatch.setenv(f"DISCERN_{name}", "many")
    message = refusal("--home", str(tmp_path))
    assert message.startswith(f"The {what} wrong.\n  DISCERN_{name}: ")
    assert "[configuration_invalid]" not in message
    assert not (tmp_path / "discern.sqlite3").exists()
