"""Uploads in parts, by the tus protocol."""

from __future__ import annotations

from base64 import b64encode

import pytest
from django.test import Client

from discern.web.jobs.models import BATCH, INTERACTIVE
from discern.web.uploads import housekeeping, storing
from discern.web.uploads.models import (
    Part,
    ResumableUpload,
    Upload,
)
from tests.fakes.pictures import picture
from tests.web.uploads.sending import (
    API,
    PART,
    TUS,
    begin,
    part,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_file_sent_in_parts_becomes_an_upload_with_its_last_byte(client: Client) -> None:
    content = picture("green", size=(640, 480))
    location = begin(client, content)
    assert part(client, location, 0, content[:1000])["Upload-Offset"] == "1000"
    assert client.head(location, headers=TUS)["Upload-Offset"] == "1000"
    last = part(client, location, 1000, content[1000:])
    assert last.status_code == 204
    row = Upload.objects.get(pk=last["Discern-Upload"])
    assert (row.name, row.bytes) == ("photo.jpg", len(content))
    assert storing.read(row.original) == content
    assert Part.objects.count() == 0
    work()
    assert client.get(last["Content-Location"]).json()["state"] == "done"


@pytest.mark.parametrize(("told", "kept"), [("batch", BATCH), ("interactive", INTERACTIVE)])
def test_a_file_sent_in_parts_is_as_urgent_as_its_metadata_says(
    client: Client, told: str, kept: int
) -> None:
    content = picture()
    location = begin(client, content, priority=told)
    last = part(client, location, 0, content)
    assert Upload.objects.get(pk=last["Discern-Upload"]).priority == kept


def test_an_urgency_nobody_knows_is_refused_before_the_first_part(client: Client) -> None:
    response = client.post(
        f"{API}/resumable",
        HTTP_UPLOAD_LENGTH="9",
        HTTP_UPLOAD_METADATA=f"priority {b64encode(b'now').decode()}",
        headers=TUS,
    )
    assert (response.status_code, response.json()["field"]) == (400, "priority")
    assert ResumableUpload.objects.count() == 0


def test_a_part_that_does_not_follow_is_409_and_nothing_is_stored(client: Client) -> None:
    content = picture()
    location = begin(client, content)
    part(client, location, 0, content[:100])
    response = part(client, location, 50, content[50:])
    assert (response.status_code, response.json()["code"]) == (409, "offset_mismatch")
    assert client.head(location, headers=TUS)["Upload-Offset"] == "100"


def test_a_part_past_the_announced_length_is_413(client: Client) -> None:
    location = begin(client, picture())
    response = part(client, location, 0, picture() + b"more")
    assert response.status_code == 413
    assert client.head(location, headers=TUS)["Upload-Offset"] == "0"


def test_a_resumed_file_that_is_no_picture_is_refused_and_forgotten(client: Client) -> None:
    location = begin(client, b"<html>" * 10)
    response = part(client, location, 0, b"<html>" * 10)
    assert response.status_code == 415
    assert ResumableUpload.objects.count() == Upload.objects.count() == 0


def test_a_resumable_upload_is_private_expires_and_can_be_given_up(
    client: Client, stranger: Client
) -> None:
    location = begin(client, picture())
    assert stranger.head(location, headers=TUS).status_code == 404
    assert part(stranger, location, 0, b"x").status_code == 404
    assert client.delete(location, headers=TUS).status_code == 204
    assert client.head(location, headers=TUS).status_code == 404
    location = begin(client, picture())
    ResumableUpload.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert client.head(location, headers=TUS).status_code == 404
    assert housekeeping.clean()["unfinished uploads"] == 1


def test_the_protocol_s_version_is_asked_for_and_stated(client: Client) -> None:
    location = begin(client, picture())
    for headers in ({}, {"Tus-Resumable": "0.2.2"}):
        for refused in (
            client.post(f"{API}/resumable", HTTP_UPLOAD_LENGTH="5", headers=headers),
            client.head(location, headers=headers),
            client.delete(location, headers=headers),
        ):
            assert (refused.status_code, refused["Tus-Version"]) == (412, "1.0.0")
    assert client.head(location, headers=TUS).status_code == 200


def test_what_the_server_can_do_is_told_to_anyone(client: Client) -> None:
    location = begin(client, picture())
    for caller in (client, Client()):
        for address in (f"{API}/resumable", location):
            described = caller.options(address)
            assert described.status_code == 204
            assert described["Tus-Version"] == "1.0.0"
            assert "creation" in described["Tus-Extension"]
    assert Client().options(location, headers={"Authorization": "Bearer wrong"}).status_code == 204
    assert Client().head(location, headers=TUS).status_code == 401


@pytest.mark.parametrize("offset", ["", "-5", "x", "1" * 21, "1" * 5_000])
def test_an_impossible_offset_is_refused(client: Client, offset: str) -> None:
    location = begin(client, picture())
    response = client.patch(
        location, b"x", content_type=PART, HTTP_UPLOAD_OFFSET=offset, headers=TUS
    )
    assert (response.status_code, response.json()["field"]) == (409, "Upload-Offset")


@pytest.mark.parametrize("length", ["", "0", "-5", "x", str(10**12), "1" * 21, "1" * 5_000])
def test_an_impossible_length_is_refused(client: Client, length: str) -> None:
    response = client.post(f"{API}/resumable", HTTP_UPLOAD_LENGTH=length, headers=TUS)
    assert 400 <= response.status_code < 500
    assert response.json()["field"] == "Upload-Length"
