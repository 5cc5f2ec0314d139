"""Every limit of an upload as an answer that names it, and who may change whose."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pytest
from django.test import Client

from discern.vision.contract import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE, MAX_SLOW_IMAGE_PIXELS
from discern.web.accounts.models import User
from discern.web.uploads.models import ResumableUpload, Upload
from discern.web.uploads.parsing import MAX_FORM_BYTES
from tests.fakes.pictures import picture
from tests.web.uploads.sending import API, PART, TUS, begin, part, send, stored, upload, work

pytestmark = pytest.mark.django_db(transaction=True)


def announced(width: int, height: int) -> bytes:
    """A small PNG whose header announces that many pixels."""
    whole = bytearray(picture(kind="PNG"))
    struct.pack_into(">II", whole, 16, width, height)
    struct.pack_into(">I", whole, 29, zlib.crc32(whole[12:29]))
    return bytes(whole)


def told(response: Any) -> tuple[int, Any, Any, Any]:
    body = response.json()
    return response.status_code, body["code"], body.get("field"), body.get("limit")


def test_a_file_over_20_mib_is_refused_with_the_limit(client: Client) -> None:
    limit = 20 * 1024 * 1024
    response = send(client, picture() + b"\0" * limit)
    assert told(response) == (413, "too_large", "image", limit)
    assert limit == MAX_IMAGE_BYTES
    assert Upload.objects.count() == 0


@pytest.mark.parametrize(
    ("width", "height", "limit"),
    [(10_000, 5_001, MAX_SLOW_IMAGE_PIXELS), (MAX_IMAGE_SIDE + 1, 2, MAX_IMAGE_SIDE)],
    ids=["pixels", "side"],
)
def test_too_many_pixels_are_refused_with_the_limit(
    client: Client, width: int, height: int, limit: int
) -> None:
    assert told(send(client, announced(width, height))) == (413, "too_large", "image", limit)
    assert Upload.objects.count() == 0


def test_beside_a_good_one_a_picture_over_a_limit_is_named_and_the_good_one_kept(
    client: Client,
) -> None:
    response = send(client, picture(), announced(10_000, 5_001))
    assert response.status_code == 202
    [refused] = response.json()["rejected"]
    assert (refused["index"], refused["code"]) == (1, "too_large")
    assert refused["limit"] == MAX_SLOW_IMAGE_PIXELS
    assert len(response.json()["uploads"]) == Upload.objects.count() == 1


class _Unread(io.BytesIO):
    """A body nobody may begin to read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the form was read")


def test_a_form_over_100_mib_is_refused_by_its_length_before_it_is_read(client: Client) -> None:
    limit = 100 * 1024 * 1024
    unread: dict[str, Any] = {"wsgi.input": _Unread(), "CONTENT_LENGTH": str(limit + 1)}
    response = client.generic(
        "POST",
        API,
        b"-",
        content_type="multipart/form-data; boundary=b",
        **unread,
    )
    assert told(response) == (413, "too_large", "files", limit)
    assert limit == MAX_FORM_BYTES


def test_a_part_of_more_than_20_mib_is_refused_with_the_limit(client: Client) -> None:
    location = begin(client, picture())
    response = part(client, location, 0, b"\0" * (MAX_IMAGE_BYTES + 1))
    assert told(response) == (413, "too_large", "body", MAX_IMAGE_BYTES)
    assert client.head(location, headers=TUS)["Upload-Offset"] == "0"


def test_a_resumable_file_over_20_mib_is_refused_before_its_first_part(client: Client) -> None:
    response = client.post(
        f"{API}/resumable", HTTP_UPLOAD_LENGTH=str(MAX_IMAGE_BYTES + 1), headers=TUS
    )
    assert told(response) == (413, "too_large", "Upload-Length", MAX_IMAGE_BYTES)
    assert ResumableUpload.objects.count() == 0


def test_without_its_csrf_token_a_session_can_change_nothing(client: Client, owner: User) -> None:
    row = upload(client)
    location = begin(client, picture())
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    address = row["links"]["self"]
    content = picture()
    for response in (
        strict.delete(address),
        strict.post(f"{address}/retry"),
        strict.post(f"{API}/resumable", HTTP_UPLOAD_LENGTH="9", headers=TUS),
        strict.patch(location, content, content_type=PART, HTTP_UPLOAD_OFFSET="0", headers=TUS),
        strict.delete(location, headers=TUS),
    ):
        assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert client.get(address).json()["state"] == "queued"
    assert client.head(location, headers=TUS)["Upload-Offset"] == "0"
    assert ResumableUpload.objects.count() == 1


def test_another_person_can_neither_give_up_nor_retry_nor_delete(
    client: Client, stranger: Client, files: Any
) -> None:
    location = begin(client, picture())
    row = upload(client)
    work()
    kept = stored(files)
    address = row["links"]["self"]
    for response in (
        stranger.delete(location, headers=TUS),
        stranger.delete(address),
        stranger.post(f"{address}/retry"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert client.head(location, headers=TUS).status_code == 200
    assert client.get(address).status_code == 200
    assert stored(files) == kept
