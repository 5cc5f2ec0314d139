"""A test that lacks what it needs is skipped at home and fails in CI."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.needed import lacking, needed_module


def test_what_is_lacking_is_a_skip_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        lacking("There is no browser.")
    with pytest.raises(pytest.skip.Exception, match="not_a_package"):
        needed_module("not_a_package.http")


def test_what_is_lacking_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser"):
        lacking("There is no browser.")
    with pytest.raises(pytest.fail.Exception, match="not_a_package"):
        needed_module("not_a_package.http")


def test_what_is_there_is_imported_in_ci_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert needed_module("json") is json


def test_no_test_skips_by_itself_where_a_service_is_missing() -> None:
    skips = re.compile(r"missing\(\).*\n\s+pytest\.skip\(")
    files = Path(__file__).parents[1].rglob("*.py")
    assert [path.name for path in files if skips.search(path.read_text())] == []
