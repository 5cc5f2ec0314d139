"""Files in a bucket of an S3-compatible service: there, away, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from discern.web.jobs.outcome import Outcome
from discern.web.uploads.models import Upload
from tests.fakes.pictures import picture
from tests.needed import needed_module
from tests.web.uploads.sending import API, send, upload, work

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Bucket:
    """A bucket in a service on loopback that can be stopped and comes back as it was."""

    service: Any
    content: Any

    def names(self) -> list[str]:
        return sorted(item.key for item in self.content.objects.all())


@pytest.fixture
def bucket(
    engine: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> Iterator[Bucket]:
    moto, boto3 = needed_module("moto.server"), needed_module("boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "only-for-this-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    service = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port, verbose=False)
    service.start()
    endpoint = f"http://127.0.0.1:{free_port}"
    content = boto3.resource("s3", endpoint_url=endpoint).Bucket("pictures")
    content.create()
    options = {"bucket_name": "pictures", "default_acl": "private", "endpoint_url": endpoint}
    kept = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "uploads": kept}
    yield Bucket(service, content)
    service.stop()


@pytest.fixture
def free_port() -> int:
    from tests.web.live import free_port

    return free_port()


def test_a_picture_in_a_bucket_is_taken_read_shown_and_deleted(
    bucket: Bucket, client: Client
) -> None:
    row = upload(client)
    assert len(bucket.names()) == 1
    assert work() is Outcome.SETTLED
    done = client.get(row["links"]["self"]).json()
    assert done["state"] == "done"
    assert [name.rsplit("/", 1)[1] for name in bucket.names()] == ["picture", "thumbnail"]
    for link in ("picture", "thumbnail", "annotated"):
        shown = client.get(done["links"][link])
        assert shown.status_code == 200
        assert shown.content[:3] in (b"\xff\xd8\xff", b"\x89PN")
    assert client.delete(row["links"]["self"]).status_code == 204
    assert bucket.names() == []


def test_a_bucket_that_is_away_costs_no_attempt_and_is_told_as_an_outage(
    bucket: Bucket, client: Client
) -> None:
    row = upload(client)
    bucket.service.stop()
    for _ in range(4):
        Upload.objects.update(available_at=timezone.now())
        assert work() is Outcome.WAITING
    waiting = Upload.objects.get()
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    assert waiting.available_at > timezone.now()
    refused = send(client, picture("red"))
    assert (refused.status_code, refused.json()["code"]) == (503, "storage_away")
    assert int(refused["Retry-After"]) > 0
    assert Upload.objects.count() == 1
    bucket.service.start()
    bucket.content.put_object(Key=waiting.original, Body=picture())
    Upload.objects.update(available_at=timezone.now())
    assert work() is Outcome.SETTLED
    assert client.get(row["links"]["self"]).json()["state"] == "done"
    assert client.get(API).json()["results"][0]["attempts"] == 1
