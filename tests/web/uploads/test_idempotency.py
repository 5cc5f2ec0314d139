"""A request that is sent again is carried out once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from discern.web.uploads.models import (
    IdempotentRequest,
    Upload,
)
from tests.fakes.pictures import picture
from tests.web.uploads.sending import (
    at_once,
    send,
    stored,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_same_idempotency_key_gives_the_same_answer_and_does_nothing_twice(
    client: Client, files: Path
) -> None:
    first = send(client, picture(), HTTP_IDEMPOTENCY_KEY="once")
    again = send(client, picture(), HTTP_IDEMPOTENCY_KEY="once")
    assert again.status_code == first.status_code == 202
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    assert again["Location"] == first["Location"] == first.json()["uploads"][0]["links"]["self"]
    assert Upload.objects.count() == 1
    assert stored(files) == ["original"]


def test_an_idempotency_key_is_not_taken_for_other_files(client: Client) -> None:
    send(client, picture("red"), HTTP_IDEMPOTENCY_KEY="once")
    response = send(client, picture("blue"), HTTP_IDEMPOTENCY_KEY="once")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert Upload.objects.count() == 1


def test_an_idempotency_key_is_not_taken_for_another_priority(client: Client) -> None:
    send(client, picture(), HTTP_IDEMPOTENCY_KEY="once")
    response = send(client, picture(), HTTP_IDEMPOTENCY_KEY="once", QUERY_STRING="priority=batch")
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("room", [10, 1])
def test_the_same_request_sent_many_times_at_once_is_carried_out_once(
    client: Client, settings: Any, files: Path, room: int
) -> None:
    settings.UPLOAD_QUOTA_PICTURES = room
    answers = at_once(5, lambda: send(client, picture(), HTTP_IDEMPOTENCY_KEY="once"))
    assert [answer.status_code for answer in answers] == [202] * 5
    assert len({answer["Location"] for answer in answers}) == Upload.objects.count() == 1
    assert sum("Idempotent-Replay" in answer for answer in answers) == 4
    assert stored(files) == ["original"]


def test_two_people_may_use_the_same_idempotency_key(client: Client, stranger: Client) -> None:
    assert send(client, picture(), HTTP_IDEMPOTENCY_KEY="once").status_code == 202
    assert send(stranger, picture(), HTTP_IDEMPOTENCY_KEY="once").status_code == 202
    assert IdempotentRequest.objects.count() == Upload.objects.count() == 2
