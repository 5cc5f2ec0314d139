"""What an upload asks to be looked for is what is looked for, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from discern.errors import InferenceFailed
from discern.web.jobs.outcome import Outcome
from discern.web.uploads.models import ResumableUpload, Upload
from tests.fakes.pictures import PictureEngine, picture
from tests.web.uploads.sending import API, work

pytestmark = pytest.mark.django_db(transaction=True)


def send(client: Client, query: str = "", **headers: Any) -> Any:
    file = SimpleUploadedFile("photo.jpg", picture("green"))
    return client.post(f"{API}{query}", {"files": file}, **headers)


def finished(client: Client, answer: Any) -> dict[str, Any]:
    assert work() is Outcome.SETTLED
    found: dict[str, Any] = client.get(answer.json()["uploads"][0]["links"]["self"]).json()
    return found


@pytest.mark.parametrize(
    ("find", "found", "steps"),
    [
        ("objects", ["objects"], 2),
        ("text", ["text", "mood"], 3),
        ("text,objects", ["objects", "text", "mood"], 4),
    ],
)
def test_only_what_was_asked_for_is_found(
    client: Client, find: str, found: list[str], steps: int
) -> None:
    answer = send(client, f"?find={find}")
    assert answer.status_code == 202
    assert answer.json()["uploads"][0]["progress"]["total"] == steps
    done = finished(client, answer)
    assert (done["state"], done["notes"]) == ("done", {})
    assert done["progress"] == {"done": steps, "total": steps, "step": None}
    assert [name for name in ("objects", "text", "mood") if done[name] is not None] == found
    assert set(done["find"]) == set(find.split(","))


def test_a_model_that_was_not_asked_for_is_never_called(
    client: Client, engine: PictureEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(*_: Any, **__: Any) -> Any:
        raise InferenceFailed("nobody asked for text")

    monkeypatch.setattr(engine, "read_text", called)
    assert finished(client, send(client, "?find=objects"))["state"] == "done"
    assert finished(client, send(client))["state"] == "failed"


def test_the_site_says_what_is_looked_for_when_the_upload_does_not(
    client: Client, settings: Any
) -> None:
    settings.UPLOAD_FIND = "objects"
    assert send(client).json()["uploads"][0]["find"] == ["objects"]
    assert send(client, "?find=text").json()["uploads"][0]["find"] == ["text"]


@pytest.mark.parametrize("find", ["", ",", "faces", "objects,faces"])
def test_what_cannot_be_found_is_refused_by_name_and_nothing_is_kept(
    client: Client, find: str
) -> None:
    response = send(client, f"?find={find}")
    assert (response.status_code, response.json()["field"]) == (400, "find")
    assert Upload.objects.count() == 0


def test_the_same_key_with_another_question_is_not_the_same_request(client: Client) -> None:
    send(client, "?find=objects", HTTP_IDEMPOTENCY_KEY="once")
    again = send(client, "?find=text", HTTP_IDEMPOTENCY_KEY="once")
    assert (again.status_code, again.json()["code"]) == (422, "idempotency_key_reused")


def test_an_upload_in_parts_asks_in_its_metadata(client: Client) -> None:
    data = picture("green")

    def begin(find: str) -> Any:
        return client.post(
            f"{API}/resumable",
            HTTP_TUS_RESUMABLE="1.0.0",
            HTTP_UPLOAD_LENGTH=str(len(data)),
            HTTP_UPLOAD_METADATA=f"find {b64encode(find.encode()).decode()}",
        )

    refused = begin("faces")
    assert (refused.status_code, refused.json()["field"]) == (400, "find")
    assert ResumableUpload.objects.count() == 0
    sent = client.patch(
        begin("objects").headers["Location"],
        data,
        content_type="application/offset+octet-stream",
        HTTP_TUS_RESUMABLE="1.0.0",
        HTTP_UPLOAD_OFFSET="0",
    )
    assert client.get(sent.headers["Content-Location"]).json()["find"] == ["objects"]


def test_the_last_step_s_result_is_stored_by_the_write_that_says_done(client: Client) -> None:
    answer = send(client, "?find=objects")
    with CaptureQueriesContext(connection) as statements:
        assert finished(client, answer)["objects"] is not None
    writes = [row["sql"] for row in statements if row["sql"].startswith("UPDATE")]
    assert len(writes) == 3  # claimed, cleaned, done with what was found
    assert "objects_found" in writes[-1]
    assert "'done'" in writes[-1]
