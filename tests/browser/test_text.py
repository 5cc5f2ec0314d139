"""One text: live mood, feedback, long texts, and what happens when something is away."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GLAD = "I love this place, everything about it was wonderful."
SAD = "This was terrible. I hated every minute and want my money back."


def mood(page: Page) -> str:
    """The mood as it is said aloud."""
    said = page.get_by_role("main").get_by_role("status").filter(has_text="%")
    return said.first.inner_text()


def test_the_first_screen_reads_a_sentence_while_it_is_typed(page: Page) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="A sentence").fill("")
    page.get_by_role("textbox", name="A sentence").press_sequentially(GLAD, delay=5)
    expect(page.get_by_role("status").filter(has_text="Positive,")).to_be_attached()
    page.get_by_role("textbox", name="A sentence").fill(SAD)
    expect(page.get_by_role("status").filter(has_text="Negative,")).to_be_attached()


@pytest.mark.parametrize(("path", "field"), [("/", "A sentence"), ("/text", "Your text")])
def test_the_first_mood_is_said_by_a_status_that_was_there_before(
    page: Page, path: str, field: str
) -> None:
    page.goto(path)
    page.get_by_role("textbox", name=field).fill("")
    early = page.get_by_role("main").get_by_role("status").first
    expect(early).to_have_text("")
    early.evaluate("node => { node.dataset.early = 'yes'; }")
    page.get_by_role("textbox", name=field).fill(GLAD)
    expect(page.locator("[role=status][data-early]")).to_contain_text("Positive,")


def test_every_result_has_all_scores_its_model_and_the_mark_of_ai(page: Page, stack: Stack) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill(GLAD)
    expect(page.get_by_role("status").filter(has_text="Positive,")).to_be_attached()
    scores = page.get_by_role("main").get_by_role("listitem")
    expect(scores).to_have_count(3)
    shares = [float(text.split("\n")[-1].strip("<>%")) for text in scores.all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    expect(page.get_by_label("Made by AI")).to_be_visible()
    shapes = page.locator("li svg[data-shape]")
    kinds = {shape.get_attribute("data-shape") for shape in shapes.all()}
    assert kinds == {"triangle", "square", "circle"}


def test_a_text_survives_a_reload(page: Page) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill(SAD)
    expect(page.get_by_role("status").filter(has_text="Negative,")).to_be_attached()
    page.reload()
    expect(page.get_by_label("Your text")).to_have_value(SAD)
    expect(page.get_by_role("status").filter(has_text="Negative,")).to_be_attached()


def test_a_long_text_is_read_when_asked_and_says_in_how_many_parts(page: Page) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill(f"{GLAD} " * 120)
    expect(page.get_by_text("Its mood")).to_have_count(0)
    page.get_by_label("Your text").press("Control+Enter")
    expect(page.get_by_text("overlapping parts")).to_be_visible()


def test_saying_that_a_mood_is_wrong_keeps_the_text_with_the_right_one(page: Page) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill(GLAD)
    page.get_by_role("button", name="This is wrong").click()
    page.get_by_role("menuitem", name="Negative").click()
    expect(page.get_by_text("Noted. Thank you.")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Noted. Thank you.")).to_be_focused()
    newest = page.request.get("/api/v1/analyses").json()["results"][0]
    assert (newest["text"], newest["right_label"]) == (GLAD, "negative")


def test_without_a_connection_the_text_is_kept_and_read_later(page: Page, watch: Watch) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill("A first sentence.")
    expect(page.get_by_role("status").filter(has_text="%")).to_be_attached()
    page.context.set_offline(True)
    page.get_by_label("Your text").fill(GLAD)
    notice = page.get_by_role("alert").filter(has_text="The web server does not answer")
    notice.wait_for(timeout=40_000)
    expect(notice).to_contain_text("Your text is still here.")
    page.context.set_offline(False)
    notice.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status").filter(has_text="Positive,")).to_be_attached()
    expect(page.get_by_label("Your text")).to_have_value(GLAD)
    watch.complaints.clear()


def test_a_model_server_that_dies_is_waited_for(page: Page, stack: Stack, watch: Watch) -> None:
    page.goto("/text")
    page.get_by_label("Your text").fill("A first sentence.")
    expect(page.get_by_role("status").filter(has_text="%")).to_be_attached()
    os.kill(_child(stack.pid, "model-server"), signal.SIGKILL)
    page.get_by_label("Your text").fill(SAD)
    # The supervisor starts it again; the page needs no reload and no press of a button.
    page.get_by_role("status").filter(has_text="Negative,").wait_for(
        state="attached", timeout=150_000
    )
    expect(page.get_by_label("Your text")).to_have_value(SAD)
    watch.complaints.clear()


def _child(parent: int, command: str) -> int:
    """The process id of the child whose command line holds ``command``."""
    for task in Path(f"/proc/{parent}/task").iterdir():
        for pid in (task / "children").read_text().split():
            if command in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)
    raise AssertionError(f"{parent} has no child that runs {command}")
