"""Pictures that are dropped on the page, what is drawn over them, and those that were given up."""

from __future__ import annotations

import io
import re
import time
from base64 import b64encode
from typing import Any

import pytest
from PIL import Image, ImageColor
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_looks import violations
from tests.browser.test_pictures import (
    BLOB,
    DETECTOR,
    PHOTOGRAPHS,
    READ_MS,
    card,
    choose,
    open_when_done,
    sign,
)
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

Named = tuple[str, bytes]
WITH_WORDS = "000000220732.jpg"
"""A photograph of a bus, whose sign and plate can be read."""


@pytest.fixture
def bright(stack: Stack, page: Page) -> None:
    """A detector that finds what is bright answers."""
    labels = stack.home / "dropped-labels.txt"
    labels.write_text("bright\n")
    _answer_with(stack, page, "dropped", str(BLOB), "--labels", str(labels))


@pytest.fixture
def finder(stack: Stack, page: Page) -> None:
    """A detector for photographs answers."""
    _answer_with(stack, page, "drop-finder", str(DETECTOR))


def _answer_with(stack: Stack, page: Page, name: str, *source: str) -> None:
    """The model server looks for another active model now and then; this waits until it has it."""
    if name not in stack.command("models", "list"):
        stack.command("models", "add", *source, "--name", name)
    stack.command("models", "activate", name)
    end = time.monotonic() + 60
    while _detector(page) != name:
        assert time.monotonic() < end, f"{name} does not answer"


def _detector(page: Page) -> str:
    """The model that looks at a picture sent now."""
    headers = {"X-CSRFToken": page.request.get("/api/v1/session").json()["csrf_token"]}
    sent = page.request.post(
        "/api/v1/uploads?find=objects",
        headers=headers,
        multipart={"files": {"name": "probe.png", "mimeType": "image/png", "buffer": sign("?")}},
    )
    address = sent.json()["uploads"][0]["links"]["self"]
    while (upload := page.request.get(address).json())["state"] in ("queued", "processing"):
        time.sleep(0.1)
    page.request.delete(address, headers=headers)
    return str(upload["objects"]["model"]["name"]) if upload["objects"] else ""


def drop(page: Page, *files: Named) -> None:
    """Lets go of the files over the page's place for them, as somebody does with a mouse."""
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, type, content] of files) {
                const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type }));
            }
            return transfer;
        }""",
        [[name, _media_type(name), b64encode(content).decode()] for name, content in files],
    )
    place = page.get_by_label("Drop pictures here, or press Enter to choose them")
    for event in ("dragenter", "dragover", "drop"):
        place.dispatch_event(event, {"dataTransfer": transfer})


def _media_type(name: str) -> str:
    return "image/jpeg" if name.endswith(".jpg") else "image/png"


def _dropped_and_opened(page: Page, *files: Named) -> None:
    """Drops them and opens the last one, of which progress has been seen."""
    page.goto("/pictures")
    drop(page, *files)
    for name, _ in files:
        expect(page.get_by_role("link", name=name)).to_be_visible()
    last = files[-1][0]
    progress = page.get_by_role("progressbar", name=f"Progress of {last}")
    expect(progress).to_be_attached()
    expect(progress).to_have_count(0, timeout=READ_MS)
    open_when_done(page, last)


def _screenshot(figure: Locator) -> Image.Image:
    return Image.open(io.BytesIO(figure.screenshot())).convert("RGB")


def _share_in_color(shot: Image.Image, edge: dict[str, Any]) -> float:
    """How much of the lower half of a box's sides, away from its caption, has the box's color."""
    wanted = ImageColor.getrgb(edge["color"])[:3]
    points = [
        (edge[side], edge["ymin"] + (edge["ymax"] - edge["ymin"]) * part / 40)
        for side in ("xmin", "xmax")
        for part in range(21, 40)
    ]
    hits = 0
    for x, y in points:
        near = [
            shot.getpixel((column, round(y)))
            for column in range(round(x) - 2, round(x) + 3)
            if 0 <= column < shot.width
        ]
        hits += any(
            isinstance(pixel, tuple)
            and max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) <= 24
            for pixel in near
        )
    return hits / len(points)


def _check_borders(page: Page) -> None:
    """The surest object's box is where the result has it, in the color of its label."""
    figure = page.get_by_role("figure")
    figure.scroll_into_view_if_needed()
    upload = page.request.get(f"/api/v1/uploads/{page.url.rsplit('/', 1)[1]}").json()
    size = figure.bounding_box()
    assert size is not None
    found = upload["objects"]["objects"]
    box = max(found, key=lambda item: item["score"])["box"]
    color = page.locator("figure svg g rect[stroke]").first.get_attribute("stroke")
    scale = size["width"] / upload["width"]
    edge = {name: place * scale for name, place in box.items()} | {"color": color}
    drawn = _share_in_color(_screenshot(figure), edge)
    page.locator("figure svg").evaluate("svg => { svg.style.visibility = 'hidden'; }")
    bare = _share_in_color(_screenshot(figure), edge)
    assert drawn > 0.8, (drawn, bare, edge)
    assert bare < 0.3, (drawn, bare, edge)


@pytest.mark.usefixtures("bright")
def test_dropped_pictures_show_progress_then_boxes_labels_and_text(page: Page) -> None:
    names = ("One by one", "Side by side", "Dropped together")
    _dropped_and_opened(page, *((f"{name}.png", sign(name)) for name in names))
    objects = page.get_by_role("region", name="object")
    expect(objects.get_by_text("bright", exact=True).first).to_be_visible()
    expect(page.get_by_role("figure").get_by_text(re.compile(r"bright \d+%")).first).to_be_visible()
    text = page.get_by_role("region", name="Text")
    expect(text.get_by_role("listitem").filter(has_text="Dropped together")).to_be_visible()
    _check_borders(page)


@pytest.mark.skipif(not DETECTOR.is_file(), reason="no photographs and detector are at hand")
@pytest.mark.usefixtures("finder")
def test_dropped_photographs_show_progress_then_boxes_labels_and_text(page: Page) -> None:
    folder = PHOTOGRAPHS / "images"
    others = sorted(path.name for path in folder.glob("*.jpg"))[:2]
    names = [*others, WITH_WORDS]
    _dropped_and_opened(page, *((name, (folder / name).read_bytes()) for name in names))
    expect(page.get_by_role("figure").get_by_text(re.compile(r"bus \d+%")).first).to_be_visible()
    objects = page.get_by_role("region", name="object")
    expect(objects.get_by_text("bus", exact=True).first).to_be_visible()
    expect(page.get_by_role("region", name="Text").get_by_role("listitem")).not_to_have_count(0)
    _check_borders(page)


def give_up(stack: Stack, name: str, *, state: str, code: str, message: str) -> None:
    """Leaves a picture as three workers that died over its text, or a refusal, leave it."""
    stack.command(
        "manage",
        "shell",
        "-c",
        "from discern.web.uploads.models import Upload\n"
        f"Upload.objects.filter(name={name!r}).update(state={state!r}, error_code={code!r}, "
        f"error_message={message!r}, progress_done=2, text_found=None, mood=None)",
    )


@pytest.mark.usefixtures("bright")
@pytest.mark.parametrize(
    ("state", "word", "reason"),
    [
        ("dead", "Set aside", "Its worker stopped each time it worked on this picture."),
        ("failed", "Could not be read", "The file ends too early."),
    ],
)
def test_a_picture_given_up_says_why_and_once_that_it_is_kept_and_is_tried_again_by_keyboard(
    page: Page, stack: Stack, state: str, word: str, reason: str
) -> None:
    name = f"{state}.png"
    page.goto("/pictures")
    choose(page, (name, sign("Given up")))
    open_when_done(page, name)
    give_up(stack, name, state=state, code="corrupt_media", message="The file ends too early.")
    page.goto("/pictures")
    expect(card(page, name)).to_contain_text(word)
    page.get_by_role("link", name=name).click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(word)
    expect(alert).to_contain_text(reason)
    assert alert.inner_text().count("kept") == 1
    assert violations(page) == []
    page.get_by_role("button", name="Try again", exact=True).focus()
    page.keyboard.press("Enter")
    expect(alert).to_have_count(0)
    expect(page.get_by_text(re.compile("It (is being|was) tried again"))).to_be_focused()
    text = page.get_by_role("region", name="Text")
    expect(text.get_by_role("listitem").filter(has_text="Given up")).to_be_visible(timeout=READ_MS)
    expect(page.get_by_text("It was tried again.")).to_be_focused()
    assert violations(page) == []
