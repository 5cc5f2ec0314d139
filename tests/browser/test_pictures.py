"""Pictures from the drop to what was found in them, over a reload."""

from __future__ import annotations

import io
import os
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watch
from tests.browser.test_looks import settled, violations
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

READ_MS = 120_000
PHOTOGRAPHS = Path(
    os.environ.get("DISCERN_TEST_PHOTOGRAPHS", Path(__file__).parents[3] / "shared/data/vision")
)
BLOB = Path(__file__).parents[1] / "fakes" / "blob.onnx"
DETECTOR = PHOTOGRAPHS / "models/picodet_s_416_coco.onnx"


def sign(words: str) -> bytes:
    """A picture of some words."""
    image = Image.new("RGB", (900, 300), "#f4ead5")
    font = ImageFont.load_default(size=72)
    ImageDraw.Draw(image).text((40, 100), words, fill="#222222", font=font)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    page.get_by_label("Pictures to read").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in files]
    )


def card(page: Page, name: str) -> Any:
    return page.get_by_role("listitem").filter(has_text=name)


def open_when_done(page: Page, name: str) -> None:
    expect(page.get_by_role("link", name=name)).to_be_visible()
    expect(card(page, name).get_by_role("progressbar")).to_have_count(0, timeout=READ_MS)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_a_picture_is_read_to_the_end_over_a_reload_and_deleted(page: Page) -> None:
    page.goto("/pictures")
    choose(page, ("sign.png", sign("I love this place")))
    expect(page.get_by_role("link", name="sign.png")).to_be_visible()
    page.reload()
    open_when_done(page, "sign.png")
    expect(page.get_by_role("listitem").filter(has_text="love this place")).to_be_visible()
    expect(page.get_by_role("region", name="Text").get_by_text("Positive").first).to_be_visible()
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("menuitem", name="Negative").click()
    expect(page.get_by_text("Noted. Thank you.")).to_be_visible()
    picture = page.get_by_role("img", name="sign.png")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 900
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/pictures$"))
    expect(page.get_by_role("link", name="sign.png")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_timeout(500)  # the dialog is gone by then, and gives no focus back
    expect(page.get_by_role("main")).to_be_focused()


def test_the_focus_stays_on_the_page_when_files_that_were_not_taken_are_put_away(
    page: Page, watch: Watch
) -> None:
    page.goto("/pictures")
    choose(page, ("one.png", b"no picture"), ("two.png", b"nor is this"))
    again = page.get_by_role("button", name="Send again")
    expect(again).to_have_count(2)
    section = page.get_by_role("region", name="Not sent")
    again.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("main:focus-within")).to_have_count(1)
    expect(again).to_have_count(2)
    page.get_by_role("button", name="Forget one.png").focus()
    page.keyboard.press("Enter")
    expect(section).to_be_focused()
    assert violations(page) == []
    page.get_by_role("button", name="Forget two.png").focus()
    page.keyboard.press("Enter")
    expect(section).to_have_count(0)
    expect(page.get_by_role("main")).to_be_focused()
    watch.complaints.clear()  # the browser calls a refusal an error


def test_progress_comes_as_events_and_by_asking_where_they_do_not_get_through(page: Page) -> None:
    streams: list[str] = []
    page.on("response", lambda r: streams.append(r.url) if r.url.endswith("/events") else None)
    page.goto("/pictures")
    choose(page, ("heard.png", sign("Heard")))
    open_when_done(page, "heard.png")
    assert streams
    page.route("**/events", lambda route: route.fulfill(status=204))
    page.goto("/pictures")
    choose(page, ("asked.png", sign("Asked")))
    open_when_done(page, "asked.png")


def test_a_pasted_picture_is_taken_and_the_sample_too(page: Page) -> None:
    page.goto("/pictures")
    page.get_by_label("Pictures to read").wait_for(state="attached")
    page.evaluate(
        """(content) => {
            const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([bytes], 'pasted.png', { type: 'image/png' }));
            document.dispatchEvent(new ClipboardEvent('paste', { clipboardData }));
        }""",
        b64encode(sign("Pasted")).decode(),
    )
    expect(page.get_by_role("link", name="pasted.png")).to_be_visible()
    page.get_by_role("button", name="Try the sample").click()
    open_when_done(page, "sample-shop.png")
    expect(
        page.get_by_role("listitem").filter(has_text=re.compile("bakery", re.IGNORECASE))
    ).to_be_visible()


def test_the_first_screen_tells_of_a_picture_by_a_status_that_was_there_before(page: Page) -> None:
    page.goto("/")
    tile = page.get_by_role("region", name="Drop a picture")
    early = tile.get_by_role("status").first
    expect(early).to_have_text("")
    early.evaluate("node => { node.dataset.early = 'yes'; }")
    tile.get_by_label("Pictures to read").set_input_files(
        {"name": "told.png", "mimeType": "image/png", "buffer": sign("Told aloud")}
    )
    told = tile.locator("[role=status][data-early]")
    expect(told).to_have_text(re.compile("Told aloud"), timeout=READ_MS)
    expect(tile.get_by_text(told.inner_text()).last).to_be_visible()


def test_what_nobody_looks_for_is_not_read_and_the_choice_is_remembered(page: Page) -> None:
    page.goto("/pictures")
    asked = page.get_by_role("group", name="What to look for")
    asked.get_by_text("Text and its mood").click()
    expect(asked.get_by_label("Objects")).to_be_disabled()
    page.reload()
    expect(asked.get_by_label("Text and its mood")).not_to_be_checked()
    choose(page, ("plain.png", sign("Nobody asked")))
    open_when_done(page, "plain.png")
    expect(page.get_by_role("region", name="Text")).to_have_count(0)
    expect(page.get_by_text("Nobody asked")).to_have_count(0)
    page.go_back()
    asked.get_by_text("Text and its mood").click()
    choose(page, ("spoken.png", sign("Somebody asked")))
    open_when_done(page, "spoken.png")
    expect(page.get_by_role("listitem").filter(has_text="Somebody asked")).to_be_visible()


def test_what_is_no_picture_is_refused_with_its_reason_and_the_rest_is_taken(
    page: Page, watch: Any
) -> None:
    page.goto("/pictures")
    choose(page, ("letter.png", b"Dear all, this is no picture."), ("real.png", sign("Real")))
    expect(page.get_by_role("alert").filter(has_text="Change it")).to_be_visible()
    expect(page.get_by_role("link", name="real.png")).to_be_visible()
    page.get_by_role("button", name="Forget letter.png").click()
    expect(page.get_by_text("letter.png")).to_have_count(0)
    watch.complaints.clear()  # the browser itself reports the refusal


def test_a_picture_is_opened_and_deleted_by_keyboard_alone(page: Page) -> None:
    page.goto("/pictures")
    choose(page, ("keys.png", sign("By keyboard")))
    expect(card(page, "keys.png").get_by_role("progressbar")).to_have_count(0, timeout=READ_MS)
    page.get_by_role("link", name="keys.png").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("keys.png")
    page.get_by_role("button", name="Delete").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="keys.png")).to_have_count(0)


def test_what_was_left_out_is_tried_again_by_keyboard_once_a_model_is_there(
    page: Page, stack: Stack
) -> None:
    page.goto("/pictures")
    choose(page, ("later.png", sign("Seen later")))
    open_when_done(page, "later.png")
    expect(page.get_by_text("Objects were not looked for")).to_be_visible()
    labels = stack.home / "labels.txt"
    labels.write_text("bright\n")
    stack.command("models", "add", str(BLOB), "--name", "blob", "--labels", str(labels))
    early = page.get_by_role("main").get_by_role("status").first
    early.evaluate("node => { node.dataset.early = 'yes'; }")
    page.get_by_role("button", name="Try again what was left out").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[role=status][data-early]")).to_have_text(
        re.compile("bright"), timeout=READ_MS
    )
    expect(page.get_by_role("region", name="Objects").get_by_text("bright").first).to_be_visible()
    expect(page.get_by_text("Objects were not looked for")).to_have_count(0)
    expect(page.get_by_text("It was tried again.")).to_be_focused()
    assert violations(page) == []


@pytest.mark.skipif(not DETECTOR.is_file(), reason="no photographs and detector are at hand")
def test_boxes_are_drawn_over_a_photograph_and_follow_the_slider(page: Page, stack: Stack) -> None:
    stack.command("models", "add", str(DETECTOR), "--name", "finder")
    stack.command("models", "activate", "finder")
    photograph = min((PHOTOGRAPHS / "images").glob("*.jpg"))
    page.goto("/pictures")
    choose(page, (photograph.name, photograph.read_bytes()))
    open_when_done(page, photograph.name)
    boxes = page.locator("figure svg g")
    expect(boxes.first).to_be_attached()
    before = boxes.count()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuenow", "95")
    expect(boxes).not_to_have_count(before)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download with boxes").click()
    with Image.open(waiting.value.path()) as annotated:
        assert annotated.format == "PNG"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_the_room(
    open_page: OpenPage, session_state: Any, scheme: str
) -> None:
    page = open_page(storage_state=session_state, color_scheme=scheme)
    page.goto("/pictures")
    choose(page, (f"{scheme}.png", sign("Lovely colors")))
    expect(card(page, f"{scheme}.png").get_by_role("progressbar")).to_have_count(0, timeout=READ_MS)
    settled(page, "/pictures")
    assert violations(page) == []
    page.get_by_role("link", name=f"{scheme}.png").click()
    page.get_by_role("heading", name="Text", exact=True).wait_for()
    assert violations(page) == []
