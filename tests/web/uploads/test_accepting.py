"""What is taken in, from whom, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from discern.web.accounts.models import User
from discern.web.jobs.outcome import Outcome
from discern.web.uploads import services, storing
from discern.web.uploads.models import (
    Upload,
)
from tests.fakes.pictures import photograph_with_place, picture
from tests.web.uploads.sending import (
    API,
    NamedFile,
    send,
    stored,
    upload,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_upload_is_answered_at_once_and_done_by_a_worker(client: Client, files: Path) -> None:
    answered = upload(client, picture("green"))
    assert (answered["state"], answered["objects"]) == ("queued", None)
    assert work() is Outcome.SETTLED
    done = client.get(answered["links"]["self"]).json()
    assert done["state"] == "done"
    assert done["progress"] == {"done": 4, "total": 4, "step": None}
    assert done["objects"]["objects"][0]["label"] == "green"
    assert done["text"]["text"] == "good lovely"
    assert done["mood"]["label"] == "positive"
    assert stored(files) == ["picture", "thumbnail"]


def test_a_picture_without_text_has_no_mood(client: Client) -> None:
    answered = upload(client, picture("blue"))
    work()
    assert client.get(answered["links"]["self"]).json()["mood"] is None


def test_what_is_stored_is_upright_and_tells_no_place_or_camera(
    client: Client, files: Path
) -> None:
    sent = photograph_with_place((64, 48))
    assert b"SecretCamera" in sent
    answered = upload(client, sent)
    work()
    shown = client.get(f"{answered['links']['self']}/picture")
    with Image.open(io.BytesIO(shown.content)) as image:
        assert image.size == (48, 64)
        assert not image.getexif()
    for path in files.rglob("*"):
        assert path.is_dir() or b"SecretCamera" not in path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("page.jpg", b"<html><script>alert(1)</script></html>", 415, "unsupported_media"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media"),
        ("empty.jpg", b"", 400, "empty_input"),
        ("cut.jpg", picture()[:200], 422, "corrupt_media"),
        ("text.txt", b"hello", 415, "unsupported_media"),
    ],
)
def test_what_is_no_picture_is_refused_by_its_content_and_nothing_is_kept(
    client: Client, files: Path, name: str, content: bytes, status: int, code: str
) -> None:
    response = send(client, content, name=name)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert Upload.objects.count() == 0
    assert stored(files) == []


def test_a_picture_with_a_zip_behind_it_is_refused_or_stored_without_it(
    client: Client, files: Path
) -> None:
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("evil.html", "<script>")
    response = send(client, picture() + hidden.getvalue())
    if response.status_code == 202:
        work()
    assert not any(b"evil.html" in p.read_bytes() for p in files.rglob("*") if p.is_file())


def test_one_bad_file_does_not_stop_the_good_ones(client: Client) -> None:
    body = send(client, picture(), b"not a picture", picture("red")).json()
    assert len(body["uploads"]) == 2
    [rejected] = body["rejected"]
    assert (rejected["index"], rejected["code"]) == (1, "unsupported_media")


def test_a_picture_that_would_take_too_long_to_decode_is_refused_before_it_is_stored(
    client: Client, files: Path
) -> None:
    file = io.BytesIO()
    Image.new("1", (5_008, 5_000)).save(file, "PNG")
    response = send(client, file.getvalue())
    problem = response.json()
    assert (response.status_code, problem["code"]) == (413, "too_large")
    assert (problem["field"], problem["limit"]) == ("image", 25_000_000)
    [rejected] = send(client, picture(), file.getvalue()).json()["rejected"]
    assert (rejected["code"], rejected["limit"]) == ("too_large", 25_000_000)
    assert len(stored(files)) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.jpg", "passwd.jpg"),
        ("C:\\secret\\me.jpg", "me.jpg"),
        ("a\x00b\n.jpg", "ab.jpg"),
        ("x" * 400 + ".jpg", "x" * 255),
        ("<b>bold</b>.jpg", "b>.jpg"),
    ],
)
def test_a_name_is_only_ever_shown(
    client: Client, files: Path, owner: User, name: str, shown: str
) -> None:
    file = NamedFile(name, picture())
    [row] = services.accept(owner=owner, files=[file]).uploads
    assert row.name == shown
    assert stored(files) == ["original"]
    assert not list(files.parent.glob("*.jpg"))


def test_nothing_of_another_person_can_be_reached(client: Client, stranger: Client) -> None:
    address = upload(client)["links"]["self"]
    work()
    parts = ("", "/events", "/picture", "/thumbnail", "/overlay.svg", "/annotated.png")
    for part in parts:
        assert stranger.get(address + part).status_code == 404, part
    assert stranger.delete(address).status_code == 404
    assert stranger.post(f"{address}/retry").status_code == 404
    assert stranger.get(API).json()["results"] == []
    assert client.get(address).status_code == 200


def test_without_sign_in_nothing_is_accepted_or_shown(client: Client) -> None:
    address = upload(client)["links"]["self"]
    anonymous = Client()
    assert send(anonymous, picture()).status_code in {401, 403}
    assert anonymous.get(address).status_code in {401, 403}


def test_a_session_without_its_csrf_token_cannot_upload(owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    response = send(strict, picture())
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert Upload.objects.count() == 0


def test_a_full_disk_is_told_and_leaves_neither_row_nor_file(
    client: Client, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storing.DurableFileSystemStorage._save

    def full(self: Any, name: str, content: Any) -> str:
        if len(stored(files)) == 1:
            raise OSError(28, "No space left on device")
        return real(self, name, content)

    monkeypatch.setattr(storing.DurableFileSystemStorage, "_save", full)
    response = send(client, picture("red"), picture("blue"))
    assert (response.status_code, response.json()["code"]) == (507, "storage_full")
    assert response["Retry-After"]
    assert Upload.objects.count() == 0
    assert stored(files) == []


def test_too_many_files_are_refused_with_the_limit(client: Client) -> None:
    response = send(client, *[picture()] * (services.MAX_FILES + 1))
    assert response.status_code == 413
    assert response.json()["limit"] == services.MAX_FILES


def test_a_form_without_files_says_which_field_is_missing(client: Client) -> None:
    response = client.post(API, {"other": "x"})
    assert (response.status_code, response.json()["field"]) == (400, "files")
