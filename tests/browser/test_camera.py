"""Taking a picture with the computer's camera, and what is told where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import OpenPage, Watch
from tests.browser.test_looks import violations
from tests.browser.test_pictures import open_when_done
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

# Every stream that the page opens, so that a test can see whether it was closed.
REMEMBER_STREAMS = """
    window.streams = [];
    const devices = navigator.mediaDevices;
    const real = devices.getUserMedia.bind(devices);
    devices.getUserMedia = async (wanted) => {
        const stream = await real(wanted);
        window.streams.push(stream);
        return stream;
    };
"""
LIVE = "streams.filter((stream) => stream.active).length"


@pytest.fixture(scope="module")
def with_camera(launch: Callable[..., Browser]) -> Browser:
    """A browser with a camera of its own, which it may use."""
    return launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture
def room(with_camera: Browser, stack: Stack, session_state: Any, watch: Watch) -> Iterator[Page]:
    """The room of pictures, in that browser."""
    context = with_camera.new_context(
        base_url=stack.address, storage_state=session_state, reduced_motion="reduce"
    )
    page = context.new_page()
    watch.follow(page)
    page.add_init_script(REMEMBER_STREAMS)
    page.goto("/pictures")
    yield page
    context.close()


def open_camera(page: Page) -> Any:
    page.get_by_role("button", name="Take a picture").click()
    dialog = page.get_by_role("dialog", name="Take a picture")
    expect(dialog).to_be_visible()
    return dialog


def test_a_picture_is_taken_looked_at_taken_anew_and_read_by_keyboard_alone(room: Page) -> None:
    opener = room.get_by_role("button", name="Take a picture")
    opener.focus()
    room.keyboard.press("Enter")
    dialog = room.get_by_role("dialog", name="Take a picture")
    expect(dialog.get_by_role("status")).to_have_text("The camera is on.")
    assert room.evaluate("document.querySelector('video').videoWidth") > 0
    expect(dialog.get_by_role("button", name="Take", exact=True)).to_be_focused()
    assert violations(room) == []
    room.keyboard.press("Enter")
    expect(dialog.get_by_role("status")).to_have_text(re.compile("^Taken"))
    shot = dialog.get_by_role("img", name="What was taken")
    expect(shot).to_be_visible()
    expect(dialog.get_by_role("button", name="Use", exact=True)).to_be_focused()
    assert violations(room) == []
    room.keyboard.press("Shift+Tab")
    expect(dialog.get_by_role("button", name="Retake")).to_be_focused()
    room.keyboard.press("Enter")
    expect(shot).to_have_count(0)
    expect(dialog.get_by_role("button", name="Take", exact=True)).to_be_focused()
    room.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Use", exact=True)).to_be_focused()
    room.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert room.evaluate(LIVE) == 0
    expect(opener).to_be_focused()
    link = room.get_by_role("link", name=re.compile(r"^picture \d{4}-.*\.jpg$")).first
    open_when_done(room, link.inner_text())
    picture = room.get_by_role("img", name=re.compile("^picture"))
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0


@pytest.mark.parametrize("way", ["Cancel", "Close", "Escape"])
def test_the_camera_is_off_once_the_dialog_is_closed(room: Page, way: str) -> None:
    dialog = open_camera(room)
    expect(dialog.get_by_role("status")).to_have_text("The camera is on.")
    assert room.evaluate(LIVE) == 1
    if way == "Escape":
        room.keyboard.press("Escape")
    else:
        dialog.get_by_role("button", name=way).click()
    expect(dialog).to_have_count(0)
    assert room.evaluate("streams.length") == 1
    assert room.evaluate(LIVE) == 0
    expect(room.get_by_role("region", name=re.compile("Sending"))).to_have_count(0)


def test_a_camera_that_stops_is_told_and_can_be_turned_on_again(room: Page) -> None:
    dialog = open_camera(room)
    expect(dialog.get_by_role("status")).to_have_text("The camera is on.")
    room.evaluate(
        "streams[0].getTracks().forEach((track) => track.dispatchEvent(new Event('ended')))"
    )
    expect(dialog.get_by_role("alert")).to_contain_text("The camera has stopped")
    dialog.get_by_role("button", name="Try again").click()
    expect(dialog.get_by_role("status")).to_have_text("The camera is on.")
    assert room.evaluate(LIVE) == 1


def test_a_refused_camera_is_told_with_a_way_on(
    launch: Callable[..., Browser], stack: Stack, session_state: Any, watch: Watch
) -> None:
    refusing = launch("--use-fake-device-for-media-stream", "--deny-permission-prompts")
    context = refusing.new_context(base_url=stack.address, storage_state=session_state)
    page = context.new_page()
    watch.follow(page)
    page.goto("/pictures")
    dialog = open_camera(page)
    expect(dialog.get_by_role("alert")).to_contain_text("The camera was refused")
    expect(dialog.get_by_role("button", name="Try again")).to_be_focused()
    assert violations(page) == []
    context.close()


def test_a_computer_without_a_camera_says_so(page: Page) -> None:
    page.goto("/pictures")
    dialog = open_camera(page)
    expect(dialog.get_by_role("alert")).to_contain_text("No camera was found")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_telephone_opens_its_own_camera(open_page: OpenPage, session_state: Any) -> None:
    page = open_page(storage_state=session_state, has_touch=True, is_mobile=True)
    page.goto("/pictures")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a picture").click()
    assert chooser.value.element.get_attribute("capture") == "environment"
