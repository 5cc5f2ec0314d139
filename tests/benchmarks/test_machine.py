"""A result names the versions of what answered, packages and programs alike."""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import version

import pytest

from benchmarks.machine import provenance, sentence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_the_line_names_the_servers_of_the_site_and_of_the_models() -> None:
    line = sentence(provenance("a command"))
    for name in ("granian", "django", "uvicorn", "onnxruntime", "scipy"):
        assert f"{name} {version(name)}" in line


def test_the_line_names_a_program_that_is_no_package() -> None:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    told = provenance("a command", programs=["redis-server"])
    number = told["versions"]["redis-server"]
    assert number[0].isdigit()
    assert f"redis-server {number}" in sentence(told)
