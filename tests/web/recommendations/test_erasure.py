"""Erasures and withdrawals that happen while the library is being told of what they take back."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from discern.recommendations import contract
from discern.recommendations.contract import Interaction
from discern.web.accounts.models import User
from discern.web.recommendations import mirrors
from discern.web.recommendations.contents import delete_content, put_contents
from discern.web.recommendations.interactions import record, withdraw
from discern.web.recommendations.models import Person, UserInteraction
from discern.web.recommendations.people import forget
from tests.web.conftest import client_of

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = [
    Interaction("anna", "a", liked=True, at=5.0),
    Interaction("anna", "b", view_time=9.0, at=6.0),
]
BEN = [Interaction("ben", "a", liked=True, at=7.0)]


@pytest.fixture(autouse=True)
def _contents() -> None:
    put_contents(contents=[contract.Content("a"), contract.Content("b")])


def _forget_anna() -> None:
    forget(external_id="anna")


def _told(person: str) -> list[tuple[str, bool]]:
    return sorted((e.content, e.liked) for e in mirrors.library().events.of_person(person))


def test_whoever_is_erased_between_a_commit_and_the_log_is_not_in_the_log() -> None:
    with transaction.atomic():
        transaction.on_commit(_forget_anna)
        record(interactions=[*ANNA, *BEN])
    assert not Person.objects.filter(external_id="anna").exists()
    assert _told("anna") == []
    assert _told("ben") == [("a", True)]


def test_the_log_waits_for_an_erasure_whose_commit_is_yet_to_come() -> None:
    record(interactions=[*ANNA, *BEN], mirror=False)
    events = {row.key: mirrors.interaction_of(row) for row in UserInteraction.objects.all()}
    erased, told = threading.Event(), threading.Event()

    def erase() -> None:
        try:
            with transaction.atomic():
                _forget_anna()
                erased.set()
                told.wait(0.5)  # it does not come: it waits for this to end
        finally:
            connection.close()

    thread = threading.Thread(target=erase)
    thread.start()
    assert erased.wait(20)
    mirrors.tell_interactions(events)
    told.set()
    thread.join()
    assert _told("anna") == []
    assert _told("ben") == [("a", True)]


def test_a_like_taken_back_between_its_commit_and_the_log_does_not_count() -> None:
    def take_back() -> None:
        withdraw(person=Person.objects.get(external_id="anna"), content="a")

    with transaction.atomic():
        transaction.on_commit(take_back)
        record(interactions=[*ANNA, Interaction("anna", "a", liked=True, view_time=3.0, at=8.0)])
    assert list(UserInteraction.objects.filter(liked=True)) == []
    assert not any(liked for _, liked in _told("anna"))
    assert ("b", False) in _told("anna")


def test_whoever_is_erased_while_everything_is_mirrored_does_not_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record(interactions=[*ANNA, *BEN], mirror=False)
    of_row = mirrors.interaction_of

    def erased_meanwhile(row: UserInteraction) -> Interaction:
        if Person.objects.filter(external_id="anna").exists():
            _forget_anna()
        return of_row(row)

    monkeypatch.setattr(mirrors, "interaction_of", erased_meanwhile)
    mirrors.mirror_everything()
    assert _told("anna") == []
    assert _told("ben") == [("a", True)]


def test_whoever_loses_their_account_is_forgotten_in_the_log_too() -> None:
    account = User.objects.create_user("anna", password="correct horse battery")
    Person.objects.create(external_id="anna", account=account)
    record(interactions=[*ANNA, *BEN])
    assert _told("anna")
    account.delete()
    assert not Person.objects.filter(external_id="anna").exists()
    assert _told("anna") == []
    assert _told("ben") == [("a", True)]


def test_somebody_whom_only_the_library_knows_is_erased_and_nobody_twice() -> None:
    mirrors.library().events.append([Interaction("anna", "never-here", liked=True, at=5.0)])
    staff = User.objects.create_user("ops", password="correct horse battery", is_staff=True)
    api = client_of(staff)
    erased = api.delete("/api/v1/people/anna")
    assert (erased.status_code, erased.json()) == (200, {"interactions": 1})
    assert _told("anna") == []
    assert api.delete("/api/v1/people/anna").status_code == 404


def test_ids_with_slashes_are_found_erased_and_have_their_like() -> None:
    staff = User.objects.create_user("ops", password="correct horse battery", is_staff=True)
    api = client_of(staff)
    put_contents(contents=[contract.Content("a/b", title="Two"), contract.Content("a/c")])
    record(interactions=[Interaction("team/anna", "a/b", liked=True, at=5.0)])
    assert api.get("/api/v1/contents/a/b").json()["title"] == "Two"
    assert api.get("/api/v1/contents/a%2Fb").json()["title"] == "Two"
    assert api.get("/api/v1/contents/a/b/similar").status_code != 404
    assert api.delete("/api/v1/people/team/anna").json() == {"interactions": 1}
    assert api.delete("/api/v1/contents/a/b").status_code == 204
    assert api.get("/api/v1/contents/a/b").status_code == 404


def test_what_was_done_with_a_deleted_content_leaves_the_library_with_it() -> None:
    record(interactions=[*ANNA, *BEN])
    delete_content(external_id="a")
    assert _told("anna") == [("b", False)]
    assert _told("ben") == []
    assert [event.dropped for event in mirrors.library().events.read()][-1] == "a"
    put_contents(contents=[contract.Content("a")])
    record(interactions=[Interaction("ben", "a", liked=True, at=9.0)])
    assert _told("ben") == [("a", True)]


def test_a_content_deleted_between_a_commit_and_the_log_leaves_nothing_in_the_log() -> None:
    with transaction.atomic():
        transaction.on_commit(lambda: delete_content(external_id="b"))
        record(interactions=[*ANNA, *BEN])
    assert _told("anna") == [("a", True)]
