"""For every eye, every hand and every screen: contrast, keyboard, dark, phone, weight."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Response, expect

from tests.browser.conftest import OpenPage
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[2] / "console/node_modules/axe-core/axe.min.js"
PAGES = (
    "/",
    "/text",
    "/text/files",
    "/pictures",
    "/reading",
    "/keys",
    "/status",
    "/no-such-room",
)
FIRST_LOAD_BYTES = 300_000


def settled(page: Page, path: str) -> None:
    page.goto(path)
    page.get_by_role("heading", level=1).wait_for()
    page.wait_for_load_state("networkidle")


def violations(page: Page) -> list[str]:
    """What axe-core finds that is serious or worse, each with where."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: Any = page.evaluate("axe.run(document)")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(
    open_page: OpenPage, session_state: Any, path: str, scheme: str
) -> None:
    page = open_page(storage_state=session_state, color_scheme=scheme)
    settled(page, path)
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_results_dialogs_and_menus(
    open_page: OpenPage, session_state: Any, scheme: str
) -> None:
    page = open_page(storage_state=session_state, color_scheme=scheme)
    settled(page, "/text")
    page.get_by_label("Your text").fill("What a day.")
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("menuitem").first.wait_for()
    assert violations(page) == []
    settled(page, "/text/files")
    page.get_by_role("button", name="Try the sample").click()
    page.get_by_role("button", name="Read their moods").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    page.get_by_role("img", name=re.compile("Of 64 texts")).wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").wait_for()
    assert violations(page) == []


def test_signed_out_pages_have_nothing_serious_either(open_page: OpenPage) -> None:
    page = open_page()
    for path in ("/", "/sign-in", "/text", "/keys"):
        settled(page, path)
        assert violations(page) == [], path


@pytest.mark.parametrize("path", PAGES)
def test_a_phone_never_scrolls_sideways(open_page: OpenPage, session_state: Any, path: str) -> None:
    page = open_page(storage_state=session_state, viewport={"width": 360, "height": 740})
    settled(page, path)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360


def test_on_a_phone_the_rooms_are_behind_one_button(
    open_page: OpenPage, session_state: Any
) -> None:
    page = open_page(storage_state=session_state, viewport={"width": 360, "height": 740})
    settled(page, "/")
    rooms = page.get_by_role("navigation", name="Rooms")
    expect(rooms).to_be_hidden()
    page.get_by_role("button", name="Rooms and account").click()
    rooms.get_by_role("link", name="API keys").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API keys")
    expect(rooms).to_be_hidden()


def test_dark_follows_the_system_and_can_be_chosen(open_page: OpenPage, session_state: Any) -> None:
    page = open_page(storage_state=session_state, color_scheme="dark")
    settled(page, "/")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    page.get_by_role("menuitem", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != dark
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "light")


def test_everything_from_sign_in_to_a_result_works_by_keyboard(
    open_page: OpenPage, stack: Stack
) -> None:
    page = open_page()
    username, password = stack.sign_in()
    settled(page, "/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(username)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.get_by_role("button", name=username).wait_for()

    _tab_to(page, "Text")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    _tab_to(page, "One text")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(f"{stack.address}/text/files")
    page.get_by_role("button", name="Try the sample").wait_for()
    _tab_to(page, "Try the sample of 64 reviews")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="sample-reviews.csv")).to_be_focused()
    _tab_to(page, "Read their moods")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    _tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Delete")).to_be_focused()


def _tab_to(page: Page, name: str, *, limit: int = 80) -> None:
    """Presses Tab until what has the focus reads ``name``, with the focus always visible."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        text, visible = page.evaluate(
            """() => {
                const it = document.activeElement;
                const ring = getComputedStyle(it).outlineStyle !== 'none'
                    || getComputedStyle(it).boxShadow !== 'none'
                    || it.matches('input, textarea, body, main');
                return [it.ariaLabel ?? it.textContent.trim(), ring];
            }"""
        )
        assert visible, f"the focus on {text!r} cannot be seen"
        if text == name:
            return
    raise AssertionError(f"{limit} presses of Tab do not lead to {name!r}")


def test_the_first_load_is_light(open_page: OpenPage) -> None:
    page = open_page()
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if re.search(r"\.(js|css)$", response.url):
            sizes[response.url] = len(gzip.compress(response.body(), 6))

    page.on("response", weigh)
    settled(page, "/")
    assert 0 < sum(sizes.values()) < FIRST_LOAD_BYTES, sizes


def test_status_names_every_part_and_the_model_that_answers(page: Page) -> None:
    page.goto("/status")
    for part in ("Web server", "Database", "Model server"):
        expect(page.get_by_role("listitem").filter(has_text=part)).to_contain_text("Running")
    expect(page.get_by_label("Made by AI")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ ms$"))).to_be_visible()
