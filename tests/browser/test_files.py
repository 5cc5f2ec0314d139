"""A file of texts from the drop to the download, over a reload."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watch

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROWS = 1_500


def reviews(count: int) -> str:
    """A table whose column of texts has no telling name and holds commas and quotes."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", "what they said"])
    for at in range(count):
        text = ("I love it, really.", "It is awful.", 'It is "a" chair.')[at % 3]
        writer.writerow([at + 1, f"{text} Number {at + 1}, as promised."])
    return out.getvalue()


def send(page: Page, content: str, name: str = "reviews.csv") -> None:
    page.goto("/text/files")
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content.encode()}
    )


def test_a_file_is_read_to_the_end_over_a_reload_and_can_be_taken_home(page: Page) -> None:
    send(page, reviews(ROWS))
    expect(page.get_by_role("radio", name="what they said")).to_be_checked()
    page.get_by_role("button", name="Read their moods").click()
    expect(page).to_have_url(re.compile(r"/text/files/[0-9a-f-]{36}$"))
    address = page.url
    # A quick machine may be through before the page first asks.
    progress = page.get_by_role("progressbar", name="Rows done")
    expect(progress.or_(page.get_by_role("link", name="Download CSV")).first).to_be_visible()
    page.goto("/")
    page.goto(address)
    page.get_by_role("link", name="Download CSV").wait_for(timeout=110_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("reviews.csv")
    expect(
        page.get_by_text(re.compile(rf"{ROWS:,} texts from the column “what they said”"))
    ).to_be_visible()
    plot = page.get_by_role("img", name=re.compile(r"Of 1,500 texts: Negative .* Positive"))
    expect(plot).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download CSV").click()
    rows = list(csv.DictReader(waiting.value.path().read_text(encoding="utf-8").splitlines()))
    assert len(rows) == ROWS
    assert rows[0]["what they said"] == "I love it, really. Number 1, as promised."
    assert rows[0]["sentiment"] == "positive"
    assert rows[1]["sentiment"] == "negative"


def test_rows_are_shown_in_pages_and_by_mood_and_the_address_says_which(page: Page) -> None:
    send(page, reviews(90))
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    expect(page.get_by_text("1 to 25 of 90 rows")).to_be_visible()
    page.get_by_role("button", name="page 4", exact=True).click()
    expect(page.get_by_text("76 to 90 of 90 rows")).to_be_visible()
    page.reload()
    expect(page.get_by_text("76 to 90 of 90 rows")).to_be_visible()
    filters = page.get_by_role("radiogroup", name="Show rows of")
    filters.locator("label", has_text="Negative").click()
    expect(page).to_have_url(re.compile("mood=negative"))
    table = page.get_by_role("region", name="Rows").get_by_role("table")
    expect(table).not_to_contain_text("I love it")
    expect(table).to_contain_text("It is awful.")


def test_a_long_row_is_opened_and_closed_by_keyboard_and_mouse(page: Page) -> None:
    long = "I love every single bit of it. " * 40
    send(page, f'text,n\n"{long}THE END",1\n"It was awful. {"Truly. " * 40}",2\nfine,3\n')
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    text = page.get_by_role("cell", name=re.compile("I love every")).get_by_text("I love every")
    height = text.evaluate("node => node.clientHeight")
    more = page.get_by_role("button", name="Show more of row 1")
    more.focus()
    page.keyboard.press("Enter")
    less = page.get_by_role("button", name="Show less of row 1")
    expect(less).to_be_focused()
    expect(less).to_have_attribute("aria-expanded", "true")
    assert text.evaluate("node => node.clientHeight") > height
    assert text.evaluate("node => node.scrollHeight - node.clientHeight") <= 1
    expect(page.get_by_text("The first 500 characters; the CSV has all of it.")).to_be_visible()
    less.click()
    expect(more).to_have_attribute("aria-expanded", "false")
    assert text.evaluate("node => node.clientHeight") == height
    expect(page.get_by_role("button", name="of row 3")).to_have_count(0)


def test_a_row_that_cannot_be_read_says_why_and_the_others_are_read(page: Page) -> None:
    send(page, "text,n\nI love it.,1\n,2\nAwful.,3\n")
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    expect(page.get_by_text("1 row could not be read").first).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Not read:"))).to_be_visible()


def test_pasted_lines_are_read_one_text_a_line(page: Page) -> None:
    page.goto("/text/files")
    page.get_by_label("Or paste").fill("I love it, truly.\nAwful, all of it.\n")
    page.get_by_role("button", name="Use what I pasted").click()
    expect(page.get_by_role("radio", name="One text per line")).to_be_checked()
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    expect(page.get_by_role("cell", name="I love it, truly.")).to_be_visible()
    expect(page.get_by_text("1 to 2 of 2 rows")).to_be_visible()


def test_a_file_that_is_no_table_is_refused_before_anything_is_stored(page: Page) -> None:
    before = page.request.get("/api/v1/text-jobs").json()["results"]
    send(page, "", name="empty.csv")
    expect(page.get_by_text("No columns can be made out")).to_be_visible()
    expect(page.get_by_role("button", name="Read their moods")).to_be_disabled()
    assert page.request.get("/api/v1/text-jobs").json()["results"] == before


def test_a_file_is_deleted_after_a_question_and_is_gone(page: Page) -> None:
    send(page, "text\nfine\n", name="to-delete.csv")
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    address = page.url
    page.get_by_role("button", name="Delete").click()
    question = page.get_by_role("dialog", name="Delete “to-delete.csv”?")
    question.get_by_role("button", name="Keep it").click()
    expect(question).to_be_hidden()
    page.get_by_role("button", name="Delete").click()
    question.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(r"/text/files$"))
    expect(page.get_by_role("link", name="to-delete.csv")).to_have_count(0)
    gone = page.request.get(address.replace("/text/files/", "/api/v1/text-jobs/"))
    assert gone.status == 404


def test_the_sample_leads_to_results_in_three_presses(page: Page) -> None:
    page.goto("/text/files")
    page.get_by_role("button", name="Try the sample").click()
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    expect(page.get_by_text("1 to 25 of 64 rows")).to_be_visible()


def test_a_stopped_file_that_cannot_be_tried_again_says_why(page: Page, watch: Watch) -> None:
    send(page, "text\nfine\n", name="stopped.csv")
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    address = page.url.replace("/text/files/", "/api/v1/text-jobs/")
    stopped = page.request.get(address).json()
    stopped |= {"state": "failed", "error": {"code": "unavailable", "detail": "It stopped."}}
    away = {"status": 503, "code": "unavailable", "detail": "The database did not answer."}
    page.route(address, lambda route: route.fulfill(json=stopped))
    page.route(f"{address}/retry", lambda route: route.fulfill(status=503, json=away))
    page.reload()
    page.get_by_role("alert").get_by_role("button", name="Try again").click()
    notice = page.get_by_role("alert").filter(has_text="The database did not answer.")
    expect(notice).to_contain_text("what was read of it are still there")
    watch.complaints.clear()  # the browser itself reports the refusal


def test_a_name_without_a_place_to_break_makes_no_page_wider_than_a_phone(
    open_page: OpenPage, session_state: Any
) -> None:
    page = open_page(storage_state=session_state, viewport={"width": 360, "height": 740})
    send(page, "text\nGood, but it broke\n", name="n" * 240 + ".csv")
    width = "document.documentElement.scrollWidth"
    page.get_by_role("button", name="Read their moods").wait_for()
    assert page.evaluate(width) == 360
    page.get_by_role("button", name="Read their moods").click()
    page.get_by_role("link", name="Download CSV").wait_for(timeout=60_000)
    expect(page.get_by_role("region", name="Rows")).to_contain_text("Good, but it broke")
    assert page.evaluate(width) == 360
