"""A real Discern and a real Chromium; every page must stay silent and on its own origin."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.needed import lacking
from tests.stack import Stack

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
INDEX = Path(__file__).parents[2] / "src/discern/web/console_dist/index.html"
WAIT_MS = 20_000

expect.set_options(timeout=WAIT_MS)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Web, worker and model server, as ``discern up --demo`` starts them."""
    if not INDEX.is_file():
        pytest.fail("The console is not built: run `npm ci && npm run build` in console/.")
    with Stack(
        tmp_path_factory.mktemp("home"), settings={"DISCERN_RATE_SIGN_IN": "1000/minute"}
    ) as up:
        yield up


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts a browser with further arguments."""
    if not Path(CHROMIUM).is_file():
        lacking("Chromium is not installed.")
    with sync_playwright() as playwright:

        def start(*arguments: str) -> Browser:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    *arguments,
                ],
            )
            started.append(browser)
            return browser

        started: list[Browser] = []
        yield start
        for browser in started:
            browser.close()


@pytest.fixture(scope="session")
def chromium(launch: Callable[..., Browser]) -> Browser:
    """One browser for all tests; each opens a context of its own."""
    return launch()


@dataclass(slots=True)
class Watch:
    """What a page did that nobody wants to see. A test that provokes a failure clears it."""

    origin: str
    complaints: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("console", lambda message: self._console(message))
        page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        # A probe that says "not ready" has status 503; the browser calls that an error.
        probe = message.location["url"].endswith("/health/ready")
        if message.type in ("error", "warning") and not probe:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and not url.startswith(self.origin + "/"):
            self.complaints.append(f"request to another origin: {url}")


OpenPage = Callable[..., Page]


@pytest.fixture
def watch(stack: Stack) -> Iterator[Watch]:
    """Fails the test at its end when a page complained."""
    watch = Watch(stack.address)
    yield watch
    assert watch.complaints == []


@pytest.fixture
def open_page(chromium: Browser, stack: Stack, watch: Watch) -> Iterator[OpenPage]:
    """Opens a page of a fresh visitor; keyword arguments are the browser context's."""
    contexts = []

    def open_one(**options: Any) -> Page:
        context = chromium.new_context(base_url=stack.address, reduced_motion="reduce", **options)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        watch.follow(page)
        return page

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def session_state(chromium: Browser, stack: Stack) -> Any:
    """The cookies of somebody who signed in by the form, for tests about other things."""
    context = chromium.new_context(base_url=stack.address)
    page = context.new_page()
    sign_in(page, stack)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(open_page: OpenPage, session_state: Any) -> Page:
    """A page of somebody signed in, on a desktop."""
    return open_page(storage_state=session_state, viewport={"width": 1280, "height": 860})


def sign_in(page: Page, stack: Stack, *, path: str = "/sign-in") -> None:
    """Signs in with what was printed to whoever started the stack."""
    username, password = stack.sign_in()
    page.goto(path)
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=username).wait_for()
