"""The reading room: a list that follows a like and says why, texts read, the catalog."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_looks import settled, violations
from tests.stack import START_TIMEOUT_S, Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

API = "/api/v1"


@pytest.fixture(scope="module", autouse=True)
def _learned(stack: Stack) -> None:
    """The worker has fitted the demo's library; that takes it some seconds after the start."""
    limit = time.monotonic() + START_TIMEOUT_S
    while not (stack.home / "active" / "recommendation.json").is_file():
        assert time.monotonic() < limit, "\n".join(stack.log)
        time.sleep(0.2)


def lines(page: Page) -> Any:
    return page.get_by_role("main").locator("ol > li")


def titles(page: Page) -> list[str]:
    expect(page.locator("ol[aria-busy=false]")).to_be_visible()
    found: list[str] = lines(page).get_by_role("link").all_text_contents()
    return found


def open_list(page: Page, query: str = "") -> list[str]:
    """The room, once the model answers it: a model server takes a moment to take up a new fit."""
    page.goto(f"/reading{query}")
    for _ in range(60):
        expect(lines(page).first).to_be_visible()
        if page.get_by_label("Made by AI").count():
            return titles(page)
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError("the list is not the model's")


def test_likes_reorder_the_list_and_become_its_reasons(page: Page) -> None:
    before = open_list(page)
    expect(page.get_by_text("Like a few")).to_be_visible()
    liked: list[str] = []
    because = lines(page).filter(has_text="Because you liked")
    while not because.count():
        assert len(liked) < 10, "popularity has faded by then"
        first = titles(page)[0]
        page.get_by_role("button", name=f"Like {first}", exact=True).click()
        expect(page.get_by_role("status").filter(has_text="has followed")).to_contain_text(first)
        liked.append(first)
        after = titles(page)
        assert first not in after
        assert after != [title for title in before if title != first]
        before = after
    text = because.first.text_content() or ""
    assert any(f"Because you liked {title}" in text for title in liked), text
    expect(page.get_by_text("Like a few")).to_have_count(0)
    page.goto("/reading/read")
    expect(page.get_by_role("row").filter(has_text=liked[0])).to_contain_text("Liked")


def test_a_text_is_opened_judged_by_keyboard_and_its_time_in_sight_told(page: Page) -> None:
    title = open_list(page)[1]
    told: list[Any] = []

    def hear(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/interactions"):
            told.append(request.post_data_json)

    page.on("request", hear)
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.get_by_role("heading", name="Goes with this")).to_be_visible()
    expect(page.get_by_role("region", name="Goes with this").get_by_role("listitem")).to_have_count(
        4
    )
    like = page.get_by_role("button", name=f"Like {title}", exact=True)
    expect(like).to_have_attribute("aria-pressed", "false")
    like.focus()
    page.keyboard.press("Enter")
    expect(like).to_have_attribute("aria-pressed", "true")
    dislike = page.get_by_role("button", name=f"Dislike {title}", exact=True)
    expect(dislike).to_be_enabled()  # not while the like is on its way
    dislike.focus()
    page.keyboard.press("Space")
    expect(dislike).to_have_attribute("aria-pressed", "true")
    expect(like).to_have_attribute("aria-pressed", "false")
    expect(dislike).to_be_enabled()
    dislike.click()
    expect(page.get_by_text("Taken back.")).to_be_visible()
    expect(dislike).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(1_200)
    with page.expect_request(lambda request: "view_time" in (request.post_data or "")):
        page.get_by_role("link", name="Your list").click()
    expect(lines(page).first).to_be_visible()
    views = [row for body in told for row in body["interactions"] if row.get("view_time")]
    assert views
    assert all(1 <= row["view_time"] < 120 for row in views), views
    impressions = {body.get("impression") for body in told}
    assert impressions != {None}


def test_a_page_that_is_closed_still_tells_the_time(page: Page) -> None:
    title = open_list(page)[2]
    page.get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    page.wait_for_timeout(1_200)
    page.goto("/status")
    page.goto("/reading/read")
    expect(page.get_by_role("row").filter(has_text=title)).to_contain_text("Read for")


def test_category_and_variety_stand_in_the_address_and_shape_the_list(page: Page) -> None:
    open_list(page)
    space = page.get_by_role("complementary").get_by_text("Space", exact=True)
    space.click()
    expect(page.get_by_role("checkbox", name="Space")).to_be_checked()
    expect(page).to_have_url(re.compile("category=Space"))
    expect(lines(page).filter(has_not_text="Space")).to_have_count(0)
    space.click()
    expect(page).not_to_have_url(re.compile("category"))
    expect(lines(page).filter(has_not_text="Space").first).to_be_visible()
    plain = titles(page)
    slider = page.get_by_role("slider", name="Variety")
    slider.focus()
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("variety=1"))
    expect(slider).to_have_attribute("aria-valuenow", "100")
    expect(slider).to_be_focused()
    page.reload()
    expect(page.get_by_role("slider", name="Variety")).to_have_attribute("aria-valuenow", "100")
    expect(lines(page).first).to_be_visible()
    assert titles(page) != plain


def test_the_catalog_is_shown_fed_and_learned_from(page: Page) -> None:
    page.goto("/reading/catalog")
    for plot in ("The best known text was met by", "Texts in each category", "NDCG@10"):
        expect(page.get_by_role("img", name=re.compile(re.escape(plot)))).to_be_visible()
    page.get_by_label("A CSV, JSON Lines or Parquet file to add").set_input_files(
        {
            "name": "mine.csv",
            "mimeType": "text/csv",
            "buffer": b"content_id,title,category\nmine,A Text of Mine,Space\n,,\n",
        }
    )
    row = page.get_by_role("row").filter(has_text="mine.csv")
    expect(row).to_contain_text("1 row added, 1 row refused", timeout=60_000)
    page.get_by_text("Search 5 s").click()
    page.get_by_role("button", name="Learn again").click()
    expect(page.get_by_role("progressbar", name="Search for settings")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^Version .* stands, since"))).to_be_visible(
        timeout=120_000
    )
    expect(page.get_by_role("region", name="The model that answers")).to_be_visible()


def test_every_text_is_listed_in_pages_by_category_and_by_keyboard(page: Page) -> None:
    page.goto("/reading/catalog")
    table = page.get_by_role("table", name="All texts")
    rows = table.locator("tbody tr")
    expect(rows).to_have_count(20)
    for heading in ("Title", "Category", "Tags", "Readers who met it", "Available"):
        expect(table.get_by_role("columnheader", name=heading, exact=True)).to_be_visible()
    first = rows.first.get_by_role("link").inner_text()
    pages = page.get_by_role("navigation", name="Pages of texts")
    newer, older = (
        pages.get_by_role("button", name=name) for name in ("Newer texts", "Older texts")
    )
    expect(newer).to_have_attribute("aria-disabled", "true")
    older.focus()
    page.keyboard.press("Enter")
    expect(newer).to_have_attribute("aria-disabled", "false")
    expect(rows.first.get_by_role("link")).not_to_have_text(first)
    newer.focus()
    page.keyboard.press("Enter")
    expect(rows.first.get_by_role("link")).to_have_text(first)
    expect(newer).to_be_focused()
    page.get_by_label("Category", exact=True).select_option("Space")
    expect(table).to_have_attribute("aria-busy", "false")
    expect(rows.filter(has_not_text="Space")).to_have_count(0)
    met = [int(text) for text in rows.locator("td:nth-child(4)").all_inner_texts()]
    assert max(met) > 0
    rows.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile("/reading/text/"))


def test_an_empty_library_says_how_texts_come_into_it(page: Page) -> None:
    page.route(
        f"**{API}/contents?*",
        lambda route: route.fulfill(json={"next": None, "previous": None, "results": []}),
    )
    page.goto("/reading/catalog")
    expect(page.get_by_text("There are no texts yet")).to_be_visible()


def test_signed_out_the_room_says_why_it_needs_to_know_who_one_is(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/reading")
    expect(page.get_by_text("Sign in to go on")).to_be_visible()


def test_a_failing_server_is_said_and_what_was_liked_is_kept(page: Page, watch: Any) -> None:
    page.route(
        f"**{API}/recommendations?*",
        lambda route: route.fulfill(
            status=503,
            content_type="application/problem+json",
            body='{"type":"x","title":"x","status":503,"code":"engine_unreachable","detail":"Away."}',
        ),
    )
    page.goto("/reading")
    notice = page.get_by_role("alert").filter(has_text="The model server is away")
    expect(notice).to_contain_text("What you liked is kept.")
    page.unroute(f"**{API}/recommendations?*")
    notice.get_by_role("button", name="Try again").click()
    expect(lines(page).first).to_be_visible()
    watch.complaints.clear()  # the browser itself reports the refusal


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_reading_room(
    open_page: OpenPage, session_state: Any, scheme: str
) -> None:
    page = open_page(storage_state=session_state, color_scheme=scheme)
    for path in ("/reading", "/reading/read", "/reading/catalog", "/reading/text/night-walk"):
        settled(page, path)
        assert violations(page) == [], path


def test_the_reading_room_fits_a_phone(open_page: OpenPage, session_state: Any) -> None:
    page = open_page(storage_state=session_state, viewport={"width": 360, "height": 740})
    for path in ("/reading", "/reading/read", "/reading/catalog", "/reading/text/night-walk"):
        settled(page, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
