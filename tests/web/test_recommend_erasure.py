"""Erasures and withdrawals that happen while the library is being told of what they take back."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from discern.recommendations import contract
from discern.recommendations.contract import Interaction
from discern.web.recommendations import mirrors
from discern.web.recommendations.contents import put_contents
from discern.web.recommendations.interactions import record, withdraw
from discern.web.recommendations.models import Person, UserInteraction
from discern.web.recommendations.people import forget

pytestmark = pytest.mark.django_db(transaction=True)

ANNA = [
    Interaction("anna", "a", liked=True, at=5.0),
    Interaction("anna", "b", view_time=9.0, at=6.0),
]
BEN = [Interaction("ben", "a", liked=True, at=7.0)]


@pytest.fixture(autouse=True)
def _contents() -> None:
    for name in ("anna", "ben"):
        mirrors.library().events.erase(name)
    put_contents(contents=[contract.Content("a"), contract.Content("b")])


def _forget_anna() -> None:
    forget(person=Person.objects.get(external_id="anna"))


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
