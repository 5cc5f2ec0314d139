"""Who may act for whom: service and staff accounts for anyone, everybody else for themselves."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from discern.recommendations.contract import Interaction, Reason
from discern.web.accounts.models import User
from discern.web.accounts.services import find_key
from discern.web.recommendations import lists
from discern.web.recommendations.contents import contents_by_id
from discern.web.recommendations.interactions import record
from discern.web.recommendations.models import Person, UserInteraction
from tests.fakes.recommender import ShelfEngine
from tests.web.conftest import client_of
from tests.web.recommendations.asking import API, JSON, SHELF

EVENT = {"content_id": SHELF[0], "liked": True}
NAMES = ("user_id", "person", "person_id", "user")


@pytest.fixture(autouse=True)
def _anna(contents: None, shelf: ShelfEngine) -> None:
    record(interactions=[Interaction("anna", SHELF[1], liked=True, at=1.0)])


@pytest.fixture
def session(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture(params=["key", "session"])
def plain(request: pytest.FixtureRequest, person: User, session: Client) -> Client:
    """Ada, who is nobody's service: her program, or she herself in a browser."""
    return client_of(person) if request.param == "key" else session


def tell(client: Client, *events: dict[str, Any]) -> Any:
    return client.post(f"{API}/interactions", orjson.dumps({"interactions": events}), JSON)


@pytest.mark.parametrize("somebody", ["anna", "nobody-at-all"])
def test_a_plain_account_is_refused_anothers_data_whether_they_are_known_or_not(
    plain: Client, somebody: str
) -> None:
    for name in NAMES:
        assert tell(plain, {**EVENT, name: somebody}).status_code == 403
    assert tell(plain, EVENT, {**EVENT, "person": somebody}).status_code == 403
    assert plain.get(f"{API}/recommendations?person={somebody}").status_code == 403
    assert plain.get(f"{API}/interactions?person={somebody}").status_code == 403
    assert plain.delete(f"{API}/people/{somebody}").status_code == 403
    assert UserInteraction.objects.count() == 1
    assert not Person.objects.filter(external_id="nobody-at-all").exists()


def test_a_plain_account_cannot_change_what_everybody_is_suggested(plain: Client) -> None:
    body = orjson.dumps({"contents": [{"content_id": "d"}]})
    assert plain.post(f"{API}/contents", body, JSON).status_code == 403
    assert plain.delete(f"{API}/contents/{SHELF[0]}").status_code == 403
    file = SimpleUploadedFile("c.csv", b"content_id\nd\n")
    assert plain.post(f"{API}/imports", {"kind": "contents", "file": file}).status_code == 403
    assert plain.post(f"{API}/recommendations/fits", b"{}", JSON).status_code == 403
    assert plain.get(f"{API}/recommendations/fits").status_code == 403
    assert plain.get(f"{API}/contents/{SHELF[0]}").status_code == 200


def test_a_plain_account_reads_writes_and_erases_what_is_its_own(
    plain: Client, person: User
) -> None:
    assert tell(plain, EVENT).json()["added"] == 1
    mine = Person.objects.get(account=person).external_id
    assert tell(plain, {"content_id": SHELF[2], "person": mine}).json()["added"] == 1
    listed = plain.get(f"{API}/recommendations?person={mine}").json()["items"]
    assert [item["content_id"] for item in listed] == [SHELF[1], *SHELF[3:]]
    read = plain.get(f"{API}/interactions").json()["results"]
    assert {row["content_id"] for row in read} == {SHELF[0], SHELF[2]}
    only = plain.get(f"{API}/interactions?content={SHELF[0]}").json()["results"]
    assert [(row["content_id"], row["liked"]) for row in only] == [(SHELF[0], True)]
    assert plain.delete(f"{API}/people/{mine}").json() == {"interactions": 2}


def test_a_person_that_a_host_application_tied_to_an_account_is_that_accounts_own(
    plain: Client, person: User
) -> None:
    Person.objects.filter(external_id="anna").update(account=person)
    read = plain.get(f"{API}/interactions").json()["results"]
    assert [row["content_id"] for row in read] == [SHELF[1]]
    assert plain.get(f"{API}/interactions?person=anna").json()["results"] == read


def test_a_service_account_is_made_with_its_key_and_acts_for_anyone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    call_command("create_key", "shop", "--service")
    secret = capsys.readouterr().out.strip()
    key = find_key(secret)
    assert key is not None
    assert key.owner.is_staff
    assert not key.owner.has_usable_password()
    shop = Client(headers={"Authorization": f"Bearer {secret}"})
    assert tell(shop, {**EVENT, "person": "anna"}).json()["added"] == 1
    read = shop.get(f"{API}/interactions?person=anna").json()["results"]
    assert len(read) == 2
    nameless = shop.get(f"{API}/recommendations")
    assert (nameless.status_code, nameless.json()["field"]) == (400, "person")
    assert tell(shop, EVENT).status_code == 400
    assert shop.delete(f"{API}/people/anna").json() == {"interactions": 2}
    call_command("create_key", "shop", "--service")
    assert User.objects.filter(username="shop").count() == 1


def test_a_persons_account_is_never_turned_into_a_service(person: User) -> None:
    with pytest.raises(CommandError, match="person's account"):
        call_command("create_key", person.username, "--service")
    person.refresh_from_db()
    assert not person.is_staff


def test_a_like_given_in_a_session_is_not_said_of_what_was_only_read(session: Client) -> None:
    tell(session, {"content_id": SHELF[0], "view_time": 30})
    reasons = lists.why(Reason("because", SHELF[0]), contents_by_id([SHELF[0]]), liked=())
    assert reasons == "because you read Text 0"
    tell(session, EVENT)
    listed = session.get(f"{API}/recommendations").json()["items"]
    assert listed[0]["reason"]["text"] == "because you liked Text 0"
