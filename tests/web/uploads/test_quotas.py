"""How much a person may have, also when many requests come at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from discern.web.accounts.models import User
from discern.web.uploads import quotas, resumable, services
from discern.web.uploads.errors import QuotaExceeded
from discern.web.uploads.models import (
    Upload,
)
from tests.fakes.pictures import picture
from tests.web.uploads.sending import (
    API,
    TUS,
    NamedFile,
    at_once,
    begin,
    part,
    send,
    stored,
    upload,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_quota_of_pictures_is_kept_and_named(client: Client, settings: Any) -> None:
    settings.UPLOAD_QUOTA_PICTURES = 1
    upload(client)
    response = send(client, picture())
    assert (response.status_code, response.json()["code"]) == (403, "quota_exceeded")
    assert response.json()["limit"] == 1
    assert Upload.objects.count() == 1


def test_the_quota_of_bytes_is_kept(client: Client, settings: Any, files: Path) -> None:
    settings.UPLOAD_QUOTA_BYTES = len(picture()) + 10
    upload(client)
    assert send(client, picture()).json()["code"] == "quota_exceeded"
    assert stored(files) == ["original"]


def test_bytes_announced_for_an_upload_in_parts_count_until_it_is_given_up(
    client: Client, settings: Any
) -> None:
    content = picture()
    settings.UPLOAD_QUOTA_BYTES = len(content) + 10
    location = begin(client, content)
    assert send(client, content).json()["code"] == "quota_exceeded"
    another = client.post(f"{API}/resumable", HTTP_UPLOAD_LENGTH="11", headers=TUS)
    assert another.json()["code"] == "quota_exceeded"
    assert part(client, location, 0, content).status_code == 204
    Upload.objects.all().delete()
    location = begin(client, content)
    client.delete(location, headers=TUS)
    assert send(client, content).status_code == 202


def test_quotas_hold_when_many_requests_come_at_once(owner: User, settings: Any) -> None:
    settings.UPLOAD_QUOTA_PICTURES = 2
    settings.UPLOAD_QUOTA_BYTES = 10_000_000

    def accept() -> str:
        try:
            services.accept(owner=owner, files=[NamedFile("a.jpg", picture())])
        except QuotaExceeded:
            return "refused"
        return "kept"

    assert sorted(at_once(8, accept)) == ["kept"] * 2 + ["refused"] * 6
    assert Upload.objects.count() == 2


def test_no_more_uploads_in_parts_are_open_than_allowed_when_many_begin_at_once(
    owner: User,
) -> None:
    for _ in range(quotas.MAX_OPEN - 2):
        resumable.create(owner=owner, length="5", metadata="")

    def begin_one() -> str:
        try:
            resumable.create(owner=owner, length="5", metadata="")
        except QuotaExceeded:
            return "refused"
        return "begun"

    assert sorted(at_once(8, begin_one)) == ["begun"] * 2 + ["refused"] * 6
