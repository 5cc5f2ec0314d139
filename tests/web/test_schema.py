"""The OpenAPI document is current, says what is true, and no request it allows makes a 5xx."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any

import httpx
import pytest

from discern.web.api.schema import document
from tests.web.live import ROOT, LiveSite

EXPORTED = ROOT / "console" / "openapi.json"
CONFORMANCE = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def test_the_exported_document_is_current(described: dict[str, Any]) -> None:
    exported = json.loads(EXPORTED.read_text(encoding="utf-8"))
    assert exported == json.loads(json.dumps(described, default=str)), (
        "run: python -m discern.web export_openapi console/openapi.json"
    )


def test_every_operation_has_a_name_a_summary_a_tag_and_its_problems(
    described: dict[str, Any],
) -> None:
    found = operations(described)
    names = [operation["operationId"] for _, _, operation in found]
    assert len(names) == len(set(names)) >= 15
    for path, method, operation in found:
        where = f"{method} {path}"
        assert operation.get("description") or operation.get("summary"), where
        assert operation.get("tags"), where
        assert "429" in operation["responses"], where
        if "{" in path:
            assert "404" in operation["responses"], where


def test_every_problem_in_the_document_is_a_problem_document(described: dict[str, Any]) -> None:
    for path, method, operation in operations(described):
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")) and answer.get("content"):
                assert "application/problem+json" in answer["content"], (path, method, status)


def test_the_document_is_served_as_json_with_an_etag(site: LiveSite) -> None:
    with site.client(key=False) as client:
        first = client.get("/api/v1/schema")
        assert first.json()["openapi"].startswith("3.")
        again = client.get("/api/v1/schema", headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304


@pytest.mark.slow
def test_no_request_that_the_document_allows_or_forbids_surprises(site: LiveSite) -> None:
    httpx.get(f"{site.address}/api/v1/schema", timeout=120.0)  # made on first use
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.address}/api/v1/schema"),
        *("--header", f"Authorization: Bearer {site.key}"),
        *("--phases", "examples,coverage,fuzzing", "--mode", "all", "--max-examples", "8"),
        *("--max-time", "90", "--seed", "1", "--request-timeout", "30", "--no-shrink"),
        *("--suppress-health-check", "all", "--warnings", "off", "--no-color"),
        *("--checks", CONFORMANCE),
    ]
    hooks = {"SCHEMATHESIS_HOOKS": "tests.web.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=site.home,
        env={**os.environ, **hooks},
    )
    assert "Test cases:" in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
    assert not re.findall(r"ST\d{3} .*", done.stdout), done.stdout[-12000:]
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
