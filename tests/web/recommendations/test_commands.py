"""Commands of those who run the site: an account tied to a person, lists made ahead."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from discern.errors import EngineUnreachable
from discern.web.accounts.models import User
from discern.web.recommendations import lists
from discern.web.recommendations.models import Person
from discern.web.recommendations.people import person_at_first_sight, person_of_account
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import API, like


def tie(*arguments: str) -> str:
    out = StringIO()
    call_command("tie_person", *arguments, stdout=out)
    return out.getvalue().strip()


def test_an_account_acts_for_the_person_it_was_tied_to(
    api: Client, other_api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "4711", "text-3")
    assert other_api.get(f"{API}/interactions?person=4711").status_code == 403
    assert tie("4711", "eve") == "4711: eve"
    assert tie("4711", "eve") == "4711: eve"
    rows = other_api.get(f"{API}/interactions").json()["results"]
    assert [row["content_id"] for row in rows] == ["text-3"]
    assert other_api.get(f"{API}/recommendations?person=4711&n=3").status_code == 200
    assert tie("4711", "--untie") == "4711: nobody"
    assert other_api.get(f"{API}/interactions?person=4711").status_code == 403


def test_a_person_made_at_first_use_gives_way_while_nothing_was_done_under_it(
    stranger: User, other_api: Client, contents: None, shelf: ShelfEngine
) -> None:
    assert other_api.get(f"{API}/recommendations?n=3").status_code == 200
    first = person_of_account(account=stranger)
    tie("4711", "eve")
    assert not Person.objects.filter(pk=first.pk).exists()
    assert person_of_account(account=stranger).external_id == "4711"


def test_a_history_is_neither_merged_nor_taken_from_another_account(
    stranger: User, person: User, other_api: Client, contents: None
) -> None:
    own = person_of_account(account=stranger).external_id
    assert like(other_api, own, "text-1").json()["added"] == 1
    with pytest.raises(CommandError, match=rf"'{own}', who did things already.*\[conflict\]"):
        tie("4711", "eve")
    tie("4712", "ada")
    with pytest.raises(CommandError, match=r"tied to another account.*\[conflict\]"):
        tie("4712", "eve")
    assert Person.objects.get(external_id="4711").account is None
    tie(own, "--untie")
    tie("4711", "eve")
    assert person_of_account(account=stranger).external_id == "4711"


def test_what_is_not_there_is_named_in_one_line(stranger: User) -> None:
    person_at_first_sight(external_id="4711")
    with pytest.raises(CommandError, match=r"no account named 'nobody'.*\[not_found\]"):
        tie("4711", "nobody")
    with pytest.raises(CommandError, match=r"\[not_found\]"):
        tie("unknown", "--untie")
    with pytest.raises(CommandError, match="either USERNAME or --untie"):
        tie("4711")


def test_lists_made_ahead_without_a_model_server_fail_in_one_line_with_the_code(
    api: Client, contents: None, shelf: ShelfEngine
) -> None:
    like(api, "anna", "text-1")
    shelf.failure = EngineUnreachable("The model server is away.", retry_after_s=1.0)
    with pytest.raises(CommandError, match=r"The model server is away\. \[engine_unreachable\]"):
        call_command("precompute_recommendations", verbosity=0)


def test_lists_are_made_ahead_for_everybody_part_by_part(
    api: Client, contents: None, shelf: ShelfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PEOPLE_AT_ONCE", 2)
    for name in ("anna", "ben", "cleo", "dora", "emil"):
        like(api, name, "text-1")
    assert lists.precompute() == 5
    assert Person.objects.filter(precomputed__isnull=False).count() == 5
