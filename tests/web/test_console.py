"""The console's page: any address of its own, and nothing from another origin."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from discern.web.console import NONCE_PLACEHOLDER
from tests.web.live import LiveSite

INDEX = (
    f'<html><script type="module" src="/assets/a.js" nonce="{NONCE_PLACEHOLDER}"></script></html>'
)


@pytest.fixture
def built(settings: Settings, tmp_path: Path) -> Client:
    (tmp_path / "index.html").write_text(INDEX)
    settings.CONSOLE_FOLDER = tmp_path
    return Client()


@pytest.mark.parametrize("path", ["/", "/text", "/text/jobs/1", "/keys"])
def test_every_address_of_the_console_is_its_one_page(built: Client, path: str) -> None:
    answer = built.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "discern_csrf" in answer.cookies


def test_each_answer_has_a_nonce_of_its_own_that_the_policy_names(built: Client) -> None:
    nonces = []
    for _ in range(2):
        answer = built.get("/")
        found = re.search(r'nonce="([^"]+)"', answer.content.decode())
        assert found
        policy = answer.headers["Content-Security-Policy"]
        assert f"script-src 'self' 'nonce-{found[1]}'" in policy
        nonces.append(found[1])
    assert nonces[0] != nonces[1]
    assert NONCE_PLACEHOLDER not in nonces


def test_no_policy_allows_inline_scripts_or_other_origins(built: Client) -> None:
    for path in ("/", "/api/v1/docs", "/api/v1/schema", "/nothing.png"):
        policy = built.get(path).headers["Content-Security-Policy"]
        scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
        assert "unsafe" not in scripts
        assert "http" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy


def test_a_missing_file_is_404_and_not_the_page(built: Client) -> None:
    assert built.get("/assets/gone.js").status_code == 404
    assert built.get("/static/gone.css").status_code == 404


def test_an_unknown_address_of_the_api_is_never_the_page(built: Client) -> None:
    assert built.get("/api/nothing").headers["Content-Type"] == "application/problem+json"


def test_a_console_that_is_not_built_says_how_to_build_it(
    settings: Settings, tmp_path: Path
) -> None:
    settings.CONSOLE_FOLDER = tmp_path / "nothing"
    answer = Client().get("/")
    assert answer.status_code == 503
    assert b"make console" in answer.content


def test_the_page_cannot_be_written_to(built: Client) -> None:
    assert built.post("/").status_code == 405


def test_the_reference_page_takes_everything_from_this_origin(site: LiveSite) -> None:
    with site.client(key=False) as client:
        page = client.get("/api/v1/docs")
        assert page.status_code == 200
        assert "<style" not in page.text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page.text)
        sources = re.findall(r'(?:src|href|data-schema)="([^"]+)"', page.text)
        assert len(sources) >= 5
        for source in sources:
            assert source.startswith("/")
            assert client.get(source).status_code == 200, source
