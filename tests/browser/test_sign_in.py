"""Coming in, being refused, leaving."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, Watch, sign_in
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_a_visitor_sees_what_it_is_and_how_to_come_in(open_page: OpenPage) -> None:
    page = open_page()
    page.goto("/")
    for word in ("mood", "pictures", "read next"):
        expect(page.get_by_role("heading", level=1)).to_contain_text(word)
    expect(page.get_by_role("textbox", name="A sentence")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Sign in").first.click()
    expect(page).to_have_url(re.compile("/sign-in"))
    expect(page.get_by_text("The demo account is")).to_be_visible()


def test_a_wrong_password_is_said_at_the_field_and_the_name_is_kept(
    open_page: OpenPage, watch: Watch
) -> None:
    page = open_page()
    page.goto("/sign-in")
    page.get_by_label("User name").fill("demo")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The user name or the password is wrong.")
    password = page.get_by_label("Password", exact=True)
    expect(password).to_have_attribute("aria-invalid", "true")
    expect(password).to_have_accessible_description("The user name or the password is wrong.")
    expect(page.get_by_label("User name")).to_have_value("demo")
    assert [line for line in watch.complaints if "401" not in line] == []
    watch.complaints.clear()


def test_signing_in_leads_back_to_where_one_was_going(open_page: OpenPage, stack: Stack) -> None:
    page = open_page()
    page.goto("/keys")
    page.get_by_role("main").get_by_role("link", name="Sign in").click()
    page.wait_for_url("**/sign-in?next=%2Fkeys")
    sign_in(page, stack, path=page.url)
    expect(page).to_have_url(f"{stack.address}/keys")


def test_signing_out_shows_nothing_of_the_one_who_left(open_page: OpenPage, stack: Stack) -> None:
    page = open_page()
    sign_in(page, stack)
    page.goto("/keys")
    expect(page.get_by_label("What the key is for")).to_be_visible()
    page.get_by_role("button", name="demo").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_text("Sign in to go on")).to_be_visible()
    page.goto("/keys")
    expect(page.get_by_text("Sign in to go on")).to_be_visible()


def test_an_unknown_address_says_so_and_leads_on(page: Page) -> None:
    page.goto("/no-such-room")
    expect(page.get_by_role("heading", name="There is no page here")).to_be_visible()
    page.get_by_role("link", name="To the overview").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mood")
