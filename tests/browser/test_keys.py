"""API keys: made, used by a real curl, revoked."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

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
    expect(row.locator(":focus")).to_have_text("Revoked")
    told = page.get_by_role("status").filter(has_text="“newsletter” is revoked.")
    expect(told).to_be_attached()
    page.wait_for_timeout(500)  # the dialog is gone by then, and gives no focus back
    expect(row.locator(":focus")).to_have_text("Revoked")
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


def test_the_focus_goes_on_to_the_keys_when_a_new_one_is_put_away(page: Page) -> None:
    page.goto("/keys")
    page.get_by_label("What the key is for").fill("put away")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="“put away” is ready")).to_be_focused()
    page.get_by_role("button", name="I have copied it").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="“put away” is ready")).to_have_count(0)
    expect(page.get_by_role("table", name="Keys, newest first")).to_be_focused()


def test_an_expired_key_is_shown_as_one(page: Page) -> None:
    end = datetime.now(UTC) + timedelta(seconds=2)
    token = page.request.get("/api/v1/session").json()["csrf_token"]
    made = page.request.post(
        "/api/v1/keys",
        data={"name": "short", "expires_at": end.isoformat()},
        headers={"X-CSRFToken": token},
    )
    assert made.status == 201, made.text()
    page.wait_for_timeout(2_200)
    page.goto("/keys")
    row = page.get_by_role("row").filter(has_text=made.json()["prefix"])
    expect(row.get_by_text("Expired", exact=True)).to_be_visible()
    expect(row.get_by_role("button")).to_have_count(0)
