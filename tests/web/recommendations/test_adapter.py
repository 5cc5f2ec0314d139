"""A site's own content model: followed, and given back as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ModelSerializer
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from discern.errors import InvalidInput, TooLarge
from discern.recommendations.contract import Content as CoreContent
from discern.web.accounts.models import User
from discern.web.recommendations import adapter
from discern.web.recommendations.batches import Taken
from discern.web.recommendations.contents import content_named
from discern.web.recommendations.models import Content, Impression
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import SHELF


@pytest.fixture(autouse=True)
def _connected_to_nothing() -> Iterator[None]:
    yield
    adapter.disconnect(User)
    adapter.disconnect(Group)


def content_of(group: Group) -> CoreContent:
    return CoreContent(str(group.pk), title=group.name)


@pytest.fixture
def groups(transactional_db: None, shelf: ShelfEngine) -> list[Group]:
    """Groups stand for a site's own contents; the engine has them the last first."""
    adapter.connect(Group, content_of)
    made = [Group.objects.create(name=f"group {i}") for i in range(8)][::-1]
    shelf.shelf = [str(group.pk) for group in made]
    return made


class GroupSerializer(ModelSerializer[Group]):
    class Meta:
        model = Group
        fields = ("id", "name")


class Suggestions(APIView):
    permission_classes = (IsAuthenticated,)

    def get(self, request: Request) -> Response:
        rows: Any = adapter.get_recommendations(request.user.pk)
        return Response(GroupSerializer(rows, many=True).data)


def test_a_view_serializes_what_it_gets_as_rows_of_the_sites_own_model(
    groups: list[Group],
) -> None:
    request = APIRequestFactory().get("/")
    force_authenticate(request, User.objects.create_user("ada"))
    answer = Suggestions.as_view()(request).render()
    expected = [{"id": group.pk, "name": group.name} for group in groups[:5]]
    assert (answer.status_code, orjson.loads(answer.content)) == (200, expected)


def test_rows_come_in_the_order_of_the_list_and_without_those_that_are_gone(
    groups: list[Group],
) -> None:
    assert adapter.get_recommendations(None, 3) == groups[:3]
    Group.objects.filter(pk=groups[1].pk)._raw_delete("default")
    assert adapter.get_recommendations(7, 3) == [groups[0], groups[2]]
    assert adapter.recommended_ids(7, 3) == [str(group.pk) for group in groups[:3]]
    assert adapter.in_order(Group, [groups[2].pk, 999, groups[0].pk]) == [groups[2], groups[0]]


def test_where_nothing_is_connected_the_rows_are_discerns_own(
    contents: None, shelf: ShelfEngine
) -> None:
    shelf.shelf.reverse()
    rows = adapter.get_recommendations(7)
    assert all(isinstance(row, Content) for row in rows)
    assert [str(row) for row in rows] == [f"Text {i}" for i in range(11, 6, -1)]
    assert adapter.recommended_ids(7) == SHELF[::-1][:5]
    with pytest.raises(InvalidInput):
        adapter.get_recommendations(7, 0)
    with pytest.raises(TooLarge):
        adapter.get_recommendations(7, 10_000)


def test_an_experiment_gives_the_person_an_arm_and_is_counted(groups: list[Group]) -> None:
    adapter.get_recommendations("anna", experiment="variety")
    shown = Impression.objects.get(person__external_id="anna")
    assert (shown.experiment, shown.arm != "") == ("variety", True)


def test_two_models_are_told_apart_by_their_ids(groups: list[Group], shelf: ShelfEngine) -> None:
    def user_content(user: User) -> CoreContent:
        return CoreContent(f"user-{user.pk}", title=user.username)

    def user_pk(name: str) -> str | None:
        return name.removeprefix("user-") if name.startswith("user-") else None

    with pytest.raises(ImproperlyConfigured, match="pk_of"):
        adapter.connect(User, user_content, pk_of=user_pk)
    adapter.connect(Group, content_of, pk_of=int)
    adapter.connect(User, user_content, pk_of=user_pk)
    ada = User.objects.create_user("ada")
    shelf.shelf.insert(1, f"user-{ada.pk}")
    assert adapter.get_recommendations(7, 3) == [groups[0], ada, groups[1]]


def test_a_connected_model_is_followed_until_it_is_let_go(transactional_db: None) -> None:
    adapter.connect(Group, content_of)
    group = Group.objects.create(name="writers")
    name = str(group.pk)
    assert content_named(name).title == "writers"
    group.delete()
    assert not Content.objects.exists()
    adapter.disconnect(Group)
    Group.objects.create(name="readers")
    assert not Content.objects.exists()


def test_rows_made_without_a_signal_are_taken_in_and_again_is_harmless(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "ROWS_AT_ONCE", 2)
    Group.objects.bulk_create([Group(name=f"group {i}") for i in range(5)])
    with pytest.raises(ImproperlyConfigured, match="not connected"):
        adapter.take_all(Group)
    adapter.connect(Group, content_of)
    assert adapter.take_all(Group) == Taken(added=5)
    assert adapter.take_all(Group) == Taken(replaced=5)
    assert {row.title for row in Content.objects.all()} == {f"group {i}" for i in range(5)}


def test_what_is_recorded_by_row_or_id_is_in_the_next_lists_history(
    groups: list[Group], shelf: ShelfEngine
) -> None:
    assert adapter.record(7, groups[0], liked=True).added == 1
    assert adapter.record("7", groups[1].pk, view_time=12.5).added == 1
    assert adapter.record(7, content_named(str(groups[2].pk)), disliked=True, key="a").added == 1
    assert adapter.record(7, groups[2], disliked=True, key="a").duplicates == 1
    assert adapter.get_recommendations(7, 2) == groups[3:5]
    history = shelf.requests[-1].history
    said = [(event.content, event.liked, event.disliked, event.view_time) for event in history]
    assert said == [
        (str(groups[0].pk), True, False, 0.0),
        (str(groups[1].pk), False, False, 12.5),
        (str(groups[2].pk), False, True, 0.0),
    ]


def test_a_row_that_was_not_taken_in_yet_is_when_it_is_recorded(groups: list[Group]) -> None:
    (made,) = Group.objects.bulk_create([Group(name="late")])
    assert adapter.record(7, made.pk, liked=True).unknown == 1
    assert adapter.record(7, made, liked=True).added == 1
    assert content_named(str(made.pk)).title == "late"


def test_what_nobody_can_have_meant_is_refused(groups: list[Group]) -> None:
    with pytest.raises(InvalidInput, match="both liked and disliked"):
        adapter.record(7, groups[0], liked=True, disliked=True)
    with pytest.raises(InvalidInput, match="view_time"):
        adapter.record(7, groups[0], view_time=-1.0)
    with pytest.raises(InvalidInput, match="key"):
        adapter.record(7, groups[0], liked=True, key="k" * 65)
    with pytest.raises(ImproperlyConfigured, match="not connected"):
        adapter.record(7, User.objects.create_user("ada"), liked=True)
