"""API keys: made, used by a real curl, revoked."""

from __future__ import annotations

import json
import subprocess

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def run_in_shell(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout


def test_the_curl_beside_a_new_key_works_as_it_stands_until_the_key_is_revoked(page: Page) -> None:
    page.goto("/keys")
    page.get_by_label("What the key is for").fill("newsletter")
    page.get_by_role("button", name="Create key").click()
    notice = page.get_by_role("region", name="“newsletter” is ready")
    command = notice.get_by_role("region", name="Try it").inner_text()
    secret = notice.get_by_role("region", name="Key").inner_text().strip()
    answer = json.loads(run_in_shell(command))
    assert set(answer["results"][0]["scores"]) == {"negative", "neutral", "positive"}

    page.reload()
    expect(page.get_by_text(secret)).to_have_count(0)
    row = page.get_by_role("row").filter(has_text=secret[:11])
    expect(row).to_contain_text("just now")
    row.get_by_role("button", name="Revoke newsletter").click()
    question = page.get_by_role("dialog", name="Revoke “newsletter”?")
    question.get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("Revoked")
    assert json.loads(run_in_shell(command))["status"] == 401


def test_a_key_is_copied_with_one_press(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/keys")
    page.get_by_label("What the key is for").fill("copied")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("button", name="Copy: Key").click()
    expect(page.get_by_role("status").filter(has_text="Key copied")).to_be_attached()
    shown = page.get_by_role("region", name="Key").inner_text().strip()
    assert page.evaluate("navigator.clipboard.readText()") == shown
