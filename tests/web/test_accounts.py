"""Who is calling: sessions with CSRF, and keys that are hashed, shown once and revocable."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from discern.errors import InvalidInput, NotFound, TooLarge
from discern.web.accounts import services
from discern.web.accounts.models import ApiKey, User
from discern.web.api.rates import Rate
from tests.web.conftest import PASSWORD

SESSION = "/api/v1/session"
KEYS = "/api/v1/keys"


@pytest.fixture
def browser() -> Client:
    """A browser: CSRF is enforced, cookies are kept."""
    return Client(enforce_csrf_checks=True)


def token_of(browser: Client) -> dict[str, str]:
    return {"X-CSRFToken": browser.get(SESSION).json()["csrf_token"]}


def sign_in(browser: Client, username: str = "ada", password: str = PASSWORD) -> int:
    body = {"username": username, "password": password}
    return browser.post(
        SESSION, body, content_type="application/json", headers=token_of(browser)
    ).status_code


@pytest.mark.django_db
def test_a_visitor_is_told_that_nobody_is_signed_in(browser: Client) -> None:
    answer = browser.get(SESSION)
    assert answer.status_code == 200
    assert answer.json()["user"] is None
    assert answer.json()["csrf_token"]
    assert answer.json()["demo"] is False
    assert browser.cookies["discern_csrf"].value


def test_signing_in_and_out_changes_who_the_site_sees(browser: Client, person: User) -> None:
    assert sign_in(browser) == 200
    assert browser.get(SESSION).json()["user"]["username"] == person.username
    assert browser.delete(SESSION, headers=token_of(browser)).status_code == 204
    assert browser.get(SESSION).json()["user"] is None


def test_signing_in_changes_the_session_and_the_csrf_token(browser: Client, person: User) -> None:
    before = token_of(browser)["X-CSRFToken"]
    sign_in(browser)
    assert browser.cookies["discern_session"]["httponly"]
    assert browser.cookies["discern_session"]["samesite"] == "Lax"
    answer = browser.delete(SESSION, headers={"X-CSRFToken": before})
    assert answer.json()["code"] == "csrf_failed"


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(
    browser: Client, person: User
) -> None:
    headers = token_of(browser)
    answers = [
        browser.post(SESSION, body, content_type="application/json", headers=headers)
        for body in (
            {"username": "ada", "password": "wrong"},
            {"username": "nobody", "password": "wrong"},
        )
    ]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


def test_signing_in_without_the_csrf_token_is_refused(browser: Client, person: User) -> None:
    body = {"username": "ada", "password": PASSWORD}
    answer = browser.post(SESSION, body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


def test_sign_in_is_throttled_by_name_even_from_many_addresses(
    browser: Client, person: User, settings: Settings
) -> None:
    settings.RATES = {**settings.RATES, "sign_in": Rate(3, 60)}
    headers = token_of(browser)
    body = {"username": "ADA", "password": "wrong"}
    statuses = [
        browser.post(
            SESSION,
            body,
            content_type="application/json",
            headers=headers,
            REMOTE_ADDR=f"192.0.2.{number}",
        ).status_code
        for number in range(4)
    ]
    assert statuses == [401, 401, 401, 429]


def test_an_inactive_person_cannot_sign_in(browser: Client, person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert sign_in(browser) == 401


def test_a_session_needs_the_csrf_token_to_change_anything(browser: Client, person: User) -> None:
    sign_in(browser)
    refused = browser.post(KEYS, {"name": "x"}, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_failed")
    made = browser.post(
        KEYS, {"name": "x"}, content_type="application/json", headers=token_of(browser)
    )
    assert made.status_code == 201


def test_a_key_is_shown_once_and_only_its_digest_is_stored(browser: Client, person: User) -> None:
    sign_in(browser)
    made = browser.post(
        KEYS, {"name": "robot"}, content_type="application/json", headers=token_of(browser)
    ).json()
    secret = made["key"]
    assert secret.startswith(made["prefix"])
    assert made["prefix"].startswith("dk_")
    stored = ApiKey.objects.values().get()
    assert secret not in str(stored)
    assert secret.removeprefix(made["prefix"]) not in str(stored)
    assert "key" not in browser.get(KEYS).json()[0]


def test_a_revoked_key_is_refused_from_the_next_request_on(person: User) -> None:
    made = services.create_key(owner=person, name="robot")
    client = Client(headers={"Authorization": f"Bearer {made.secret}"})
    assert client.get("/api/v1/analyses").status_code == 200
    services.revoke_key(owner=person, key_id=made.key.pk)
    refused = client.get("/api/v1/analyses")
    assert (refused.status_code, refused.json()["code"]) == (401, "authentication_failed")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_key_in_memory_is_refused_once_another_process_revoked_it(person: User) -> None:
    made = services.create_key(owner=person, name="robot")
    for _ in range(3):
        assert services.find_key(made.secret) is not None
    ApiKey.objects.update(revoked_at=timezone.now())  # what another process would do
    assert services.find_key(made.secret) is None
    ApiKey.objects.update(revoked_at=None)
    assert services.find_key(made.secret) is not None
    User.objects.update(is_active=False)
    assert services.find_key(made.secret) is None


def test_what_one_caller_does_to_its_key_no_other_caller_sees(person: User) -> None:
    made = services.create_key(owner=person, name="robot")
    found = [services.find_key(made.secret) for _ in range(4)]
    assert found[2] is not None
    assert found[3] is not None
    found[2].owner.username = "changed"
    assert found[3].owner.username == "ada"


def test_a_key_ends_when_it_expires_or_its_owner_is_deactivated(person: User) -> None:
    soon = timezone.now() + timedelta(hours=1)
    made = services.create_key(owner=person, name="robot", expires_at=soon)
    assert services.find_key(made.secret) is not None
    ApiKey.objects.update(expires_at=timezone.now())
    assert services.find_key(made.secret) is None
    ApiKey.objects.update(expires_at=None)
    User.objects.update(is_active=False)
    assert services.find_key(made.secret) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer dk_",
        "Bearer dk_x_y",
        "Bearer " + "d" * 9000,
        "Basic YTpi",
        "dk",
    ],
)
def test_a_header_without_a_good_key_is_refused_as_a_problem(header: str) -> None:
    answer = Client().get("/api/v1/analyses", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "authentication_failed")


def test_a_bad_key_is_refused_even_with_a_good_session(browser: Client, person: User) -> None:
    sign_in(browser)
    answer = browser.get("/api/v1/analyses", headers={"Authorization": "Bearer dk_wrong"})
    assert answer.status_code == 401


def test_the_use_of_a_key_is_noted_but_not_with_every_request(
    api: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ApiKey.objects.get().last_used_at is None
    api.get("/api/v1/analyses")
    first = ApiKey.objects.get().last_used_at
    assert first is not None
    api.get("/api/v1/analyses")
    with django_assert_num_queries(2):  # whether the key stands, and the page; no write
        api.get("/api/v1/analyses")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    monkeypatch.setattr(services, "KEPT_S", -1.0)
    api.get("/api/v1/analyses")
    last = ApiKey.objects.get().last_used_at
    assert last is not None
    assert last >= first


def test_a_key_cannot_make_list_or_revoke_keys(api: Client) -> None:
    answer = api.post(KEYS, {"name": "another"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert api.get(KEYS).status_code == 403
    assert api.delete(f"{KEYS}/{ApiKey.objects.get().pk}").status_code == 403


def test_a_person_cannot_revoke_another_s_key(person: User, stranger: User) -> None:
    made = services.create_key(owner=person, name="robot")
    with pytest.raises(NotFound):
        services.revoke_key(owner=stranger, key_id=made.key.pk)
    assert services.find_key(made.secret) is not None


def test_the_limits_of_keys_are_named(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="name"):
        services.create_key(owner=person, name="  ")
    with pytest.raises(InvalidInput, match="future"):
        services.create_key(owner=person, name="x", expires_at=timezone.now())
    monkeypatch.setattr(services, "MAX_KEYS", 1)
    services.create_key(owner=person, name="x")
    with pytest.raises(TooLarge):
        services.create_key(owner=person, name="y")


@pytest.mark.django_db
def test_the_demo_account_is_made_once_and_mended(tmp_path: Path) -> None:
    first = services.make_demo(home=tmp_path)
    assert services.make_demo(home=tmp_path) == first
    assert (tmp_path / "demo_password").stat().st_mode & 0o077 == 0
    User.objects.filter(username="demo").update(password="x", is_active=False)
    services.make_demo(home=tmp_path)
    assert User.objects.get(username="demo").check_password(first[1])


@pytest.mark.django_db
def test_the_demo_account_needs_the_setting() -> None:
    with pytest.raises(CommandError, match="DISCERN_DEMO"):
        call_command("make_demo")


@pytest.mark.django_db
def test_a_key_for_nobody_is_refused_by_the_command() -> None:
    with pytest.raises(CommandError, match="nobody"):
        call_command("create_key", "nobody")
