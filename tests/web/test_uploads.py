"""Uploads through the API, with real files, a real database and the worker's own code."""

from __future__ import annotations

import io
import json
import threading
import uuid
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from PIL import Image

from discern.errors import InferenceFailed, ModelNotReady
from discern.web.accounts.models import User
from discern.web.engine import get_engine
from discern.web.jobs import services as jobs
from discern.web.jobs import tidying, worker
from discern.web.jobs.models import State
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.registry import kind_named
from discern.web.uploads import housekeeping, quotas, render, resumable, services, storing
from discern.web.uploads.errors import QuotaExceeded
from discern.web.uploads.models import (
    IdempotentRequest,
    Part,
    ResumableUpload,
    Round,
    Upload,
    folder_of,
)
from tests.fakes.pictures import PictureEngine, photograph_with_place, picture

pytestmark = pytest.mark.django_db(transaction=True)
API = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
PART = "application/offset+octet-stream"


@pytest.fixture(autouse=True)
def engine(settings: Any, tmp_path: Path) -> Iterator[PictureEngine]:
    settings.ENGINE_FACTORY = "tests.fakes.pictures.PictureEngine"
    uploads = dict(settings.STORAGES["uploads"])
    uploads["OPTIONS"] = {**uploads["OPTIONS"], "location": tmp_path / "files"}
    settings.STORAGES = {**settings.STORAGES, "uploads": uploads}
    get_engine.cache_clear()
    yield get_engine()._inner  # type: ignore[attr-defined]
    get_engine.cache_clear()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def owner() -> User:
    return User.objects.create_user("ada", password="analytical-engine")


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def stranger() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("eve", password="somebody-else"))
    return client


@dataclass
class NamedFile:
    """A file whose name reaches the service as the client gave it."""

    name: str | None
    content: bytes

    def read(self, num_bytes: int = -1) -> bytes:
        return self.content


def send(client: Client, *contents: bytes, name: str = "photo.jpg", **headers: Any) -> Any:
    sent = [SimpleUploadedFile(name, content) for content in contents]
    return client.post(API, {"files": sent}, **headers)


def upload(client: Client, content: bytes | None = None) -> dict[str, Any]:
    response = send(client, content if content is not None else picture())
    assert response.status_code == 202, response.content
    found: dict[str, Any] = response.json()["uploads"][0]
    return found


def work() -> Outcome | None:
    """What a worker does: claims the next row and runs it."""
    kind = kind_named("picture")
    claims = jobs.claim_next(owner="test", among=[kind], limit=1)
    return run(claims[0], stopping=threading.Event()) if claims else None


def stored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


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


def at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """What ``act`` returned in threads that start together."""
    barrier = threading.Barrier(count)

    def one(_: int) -> Any:
        barrier.wait()
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


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


def test_too_many_files_are_refused_with_the_limit(client: Client) -> None:
    response = send(client, *[picture()] * (services.MAX_FILES + 1))
    assert response.status_code == 413
    assert response.json()["limit"] == services.MAX_FILES


def test_a_form_without_files_says_which_field_is_missing(client: Client) -> None:
    response = client.post(API, {"other": "x"})
    assert (response.status_code, response.json()["field"]) == (400, "files")


def test_a_picture_whose_models_are_not_installed_is_done_with_a_note(
    client: Client, engine: PictureEngine
) -> None:
    engine.vision_failure = ModelNotReady("No detector is installed: discern models pull yolox-s.")
    answered = upload(client)
    work()
    done = client.get(answered["links"]["self"]).json()
    assert done["state"] == "done"
    assert set(done["notes"]) == {"objects", "text"}
    assert "pull yolox-s" in done["notes"]["objects"]["message"]


def test_what_was_left_out_can_be_done_once_its_models_are_installed(
    client: Client, engine: PictureEngine, files: Path
) -> None:
    engine.vision_failure = ModelNotReady("No detector is installed: discern models pull yolox-s.")
    answered = upload(client, picture("green"))
    work()
    assert client.post(f"{answered['links']['self']}/retry").json()["state"] == "queued"
    engine.vision_failure = None
    assert work() is Outcome.SETTLED
    done = client.get(answered["links"]["self"]).json()
    assert (done["state"], done["notes"]) == ("done", {})
    assert done["objects"]["objects"][0]["label"] == "green"
    assert done["mood"]["label"] == "positive"
    assert stored(files) == ["picture", "thumbnail"]
    assert client.post(f"{answered['links']['self']}/retry").status_code == 409


def test_a_step_that_was_done_is_not_done_again_with_one_that_was_left_out(
    client: Client, engine: PictureEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> Any:
        raise ModelNotReady("No detector is installed.")

    answered = upload(client, picture("green"))
    monkeypatch.setattr(engine, "detect_objects", missing)
    work()
    monkeypatch.undo()
    monkeypatch.setattr(engine, "read_text", missing)
    client.post(f"{answered['links']['self']}/retry")
    work()
    done = client.get(answered["links"]["self"]).json()
    assert (done["state"], done["notes"]) == ("done", {})
    assert (done["text"]["text"], done["mood"]["label"]) == ("good lovely", "positive")


def test_a_model_that_is_still_loading_is_waited_for(client: Client, engine: PictureEngine) -> None:
    engine.vision_failure = ModelNotReady("Loading.", retry_after_s=0.01)
    answered = upload(client)
    assert work() is Outcome.WAITING
    row = Upload.objects.get(pk=answered["id"])
    assert (row.state, row.attempts, row.notes) == (State.QUEUED, 0, {})


def test_a_failure_is_shown_kept_and_can_be_retried(client: Client, engine: PictureEngine) -> None:
    engine.vision_failure = InferenceFailed("The model failed on this picture.")
    answered = upload(client)
    work()
    failed = client.get(answered["links"]["self"]).json()
    assert failed["state"] == "failed"
    assert failed["error"] == {
        "code": "inference_failed",
        "message": "The model failed on this picture.",
    }
    engine.vision_failure = None
    assert client.post(f"{answered['links']['self']}/retry").status_code == 202
    work()
    assert client.get(answered["links"]["self"]).json()["state"] == "done"


def test_what_has_not_failed_cannot_be_retried(client: Client) -> None:
    response = client.post(f"{upload(client)['links']['self']}/retry")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")


def test_deleting_removes_row_and_files(client: Client, files: Path) -> None:
    answered = upload(client)
    work()
    assert client.delete(answered["links"]["self"]).status_code == 204
    assert Upload.objects.count() == 0
    assert stored(files) == []
    assert client.get(answered["links"]["self"]).status_code == 404


def test_a_worker_leaves_nothing_of_a_picture_deleted_under_its_hands(
    client: Client, files: Path, engine: PictureEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client)
    see = engine.detect_objects

    def delete_meanwhile(*args: Any, **options: Any) -> Any:
        client.delete(answered["links"]["self"])
        return see(*args, **options)

    monkeypatch.setattr(engine, "detect_objects", delete_meanwhile)
    assert work() is Outcome.LOST
    assert Upload.objects.count() == 0
    assert stored(files) == []


def test_running_a_row_again_after_a_crash_changes_nothing_visible(client: Client) -> None:
    answered = upload(client)
    work()
    before = client.get(answered["links"]["self"]).json()
    Upload.objects.update(state=State.QUEUED, progress_done=2)
    work()
    after = client.get(answered["links"]["self"]).json()
    for part in ("objects", "text", "mood", "width", "height", "state"):
        assert after[part] == before[part]


def test_a_picture_that_kills_its_worker_three_times_is_set_aside_as_dead(
    client: Client, engine: PictureEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client)
    kind = kind_named("picture")

    class Killed(BaseException):
        """What the process dies of: nothing after it runs."""

    def die(*_: Any, **__: Any) -> Any:
        raise Killed

    monkeypatch.setattr(engine, "detect_objects", die)
    for _ in range(3):
        [claim] = jobs.claim_next(owner="test", among=[kind], limit=1)
        with pytest.raises(Killed):
            run(claim, stopping=threading.Event())
        Upload.objects.update(lease_expires_at="2020-01-01T00:00:00Z")
        jobs.sweep()
    dead = client.get(answered["links"]["self"]).json()
    assert dead["state"] == "dead"
    assert "retry" in dead["error"]["message"]
    assert jobs.claim_next(owner="test", among=[kind], limit=1) == []
    monkeypatch.undo()
    assert client.post(f"{answered['links']['self']}/retry").status_code == 202
    work()
    assert client.get(answered["links"]["self"]).json()["state"] == "done"


def test_the_list_is_newest_first_and_filtered_by_state_and_label(client: Client) -> None:
    upload(client, picture("red"))
    work()
    upload(client, picture("green"))
    listed = client.get(API).json()["results"]
    assert [row["state"] for row in listed] == ["queued", "done"]
    assert len(client.get(API, {"state": "done"}).json()["results"]) == 1
    assert len(client.get(API, {"label": "red"}).json()["results"]) == 1
    assert client.get(API, {"label": "re"}).json()["results"] == []
    assert client.get(API, {"state": "lost"}).json()["field"] == "state"


@pytest.mark.parametrize("label", ["Zürich_Tram", "zürich_tram", "ZÜRICH_TRAM"])
def test_the_case_of_a_label_does_not_matter_to_the_filter(
    client: Client, monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    from tests.fakes import pictures

    monkeypatch.setattr(pictures, "_look", lambda _: ("Zürich_Tram", 64, 48))
    monkeypatch.setitem(pictures.WORDS, "Zürich_Tram", "")
    upload(client)
    work()
    assert len(client.get(API, {"label": label}).json()["results"]) == 1
    assert client.get(API, {"label": "zürich tram"}).json()["results"] == []
    Upload.objects.update(labels="|Dog|")
    for old in ("dog", "DOG"):
        assert len(client.get(API, {"label": old}).json()["results"]) == 1


def test_the_list_comes_in_pages(client: Client) -> None:
    for _ in range(3):
        upload(client)
    first = client.get(API, {"page_size": 2}).json()
    assert len(first["results"]) == 2
    second = client.get(first["next"]).json()
    ids = {row["id"] for row in first["results"] + second["results"]}
    assert len(ids) == 3


def test_events_tell_progress_and_end_with_done(client: Client) -> None:
    answered = upload(client)
    response = client.get(answered["links"]["events"])
    assert response["Content-Type"] == "text/event-stream"
    body: Iterator[bytes] = iter(response.streaming_content)  # type: ignore[attr-defined]
    assert next(body).startswith(b"retry:")
    first = next(body).decode()
    assert first.startswith("event: progress\n")
    assert json.loads(first.split("data: ")[1])["state"] == "queued"
    work()
    last = list(body)[-1].decode()
    response.close()
    assert last.startswith("event: done\n")
    assert json.loads(last.split("data: ")[1])["state"] == "done"


def test_more_event_streams_than_allowed_are_told_to_poll(
    client: Client, stranger: Client, settings: Any
) -> None:
    address, theirs = (upload(who)["links"]["events"] for who in (client, stranger))
    share = settings.UPLOAD_EVENT_STREAMS // 2
    open_streams = [client.get(address) for _ in range(share)]
    refused = client.get(address)
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused["Retry-After"]
    open_streams += [stranger.get(theirs) for _ in range(share)]
    assert {response.status_code for response in open_streams} == {200}
    third = Client()
    third.force_login(User.objects.create_user("cat", password="nobody-in-particular"))
    late = upload(third)["links"]["events"]
    assert third.get(late).status_code == 503
    for response in open_streams:
        response.close()
    for who, its in ((client, address), (third, late)):
        again = who.get(its)
        assert again.status_code == 200
        again.close()


def test_the_overlay_and_the_annotated_picture_show_what_is_over_the_threshold(
    client: Client,
) -> None:
    answered = upload(client, picture("red", size=(200, 100)))
    work()
    address = answered["links"]["self"]
    overlay = client.get(f"{address}/overlay.svg").content.decode()
    assert 'viewBox="0 0 200 100"' in overlay
    assert "red 90%" in overlay
    assert "speck" in overlay
    assert "speck" not in client.get(f"{address}/overlay.svg?threshold=0.5").content.decode()
    with Image.open(io.BytesIO(client.get(f"{address}/annotated.png").content)) as image:
        assert image.format == "PNG"
        assert len(image.getcolors(100_000) or ()) > 1
    assert client.get(f"{address}/overlay.svg?threshold=2").json()["field"] == "threshold"


def test_a_large_picture_is_drawn_on_a_smaller_one(client: Client) -> None:
    answered = upload(client, picture("red", size=(4_200, 1_050)))
    work()
    drawn = client.get(f"{answered['links']['self']}/annotated.png").content
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.size == (2_048, 512)
        corner = image.getpixel((1_023, 254))  # of the box, which fills a quarter
        assert image.getpixel((1_500, 400)) != corner != image.getpixel((500, 150))


def test_one_picture_is_drawn_at_a_time_and_others_wait_a_bounded_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client)
    work()
    address = f"{answered['links']['self']}/annotated.png"
    monkeypatch.setattr(render, "WAIT_S", 0.05)
    with render._drawing:
        refused = client.get(address)
    assert (refused.status_code, refused.json()["code"]) == (503, "overloaded")
    assert refused["Retry-After"]
    assert client.get(address).status_code == 200


def test_an_image_is_asked_about_each_time_and_sent_again_only_when_it_changed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = upload(client, picture("red"))
    work()
    address = answered["links"]["self"]
    marks = {}
    for part in ("picture", "thumbnail", "overlay.svg", "annotated.png"):
        first = client.get(f"{address}/{part}")
        assert first["Cache-Control"] == "private, no-cache"
        marks[part] = first["ETag"]
    assert len(set(marks.values())) == 4
    assert client.get(f"{address}/overlay.svg?threshold=0.5")["ETag"] != marks["overlay.svg"]
    monkeypatch.setattr(render, "annotated_png", lambda *_, **__: pytest.fail("drawn for nothing"))
    for part, mark in marks.items():
        again = client.get(f"{address}/{part}", HTTP_IF_NONE_MATCH=mark)
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", mark)
        assert again["Cache-Control"] == "private, no-cache"
    Upload.objects.update(objects_found={"objects": []})
    changed = client.get(f"{address}/overlay.svg", HTTP_IF_NONE_MATCH=marks["overlay.svg"])
    assert changed.status_code == 200


def test_a_picture_that_is_not_processed_yet_has_no_file_to_show(client: Client) -> None:
    assert client.get(f"{upload(client)['links']['self']}/picture").status_code == 404


def begin(client: Client, content: bytes, name: str = "photo.jpg") -> str:
    response = client.post(
        f"{API}/resumable",
        HTTP_UPLOAD_LENGTH=str(len(content)),
        HTTP_UPLOAD_METADATA=f"filename {b64encode(name.encode()).decode()}",
        headers=TUS,
    )
    assert response.status_code == 201, response.content
    return str(response["Location"])


def part(client: Client, location: str, offset: int, data: bytes) -> Any:
    return client.patch(
        location, data, content_type=PART, HTTP_UPLOAD_OFFSET=str(offset), headers=TUS
    )


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


def test_files_of_no_row_are_cleaned_away_once_they_are_old(
    client: Client, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime

    kept = upload(client)
    orphan = uuid.uuid4()
    storing.write(f"pictures/{orphan.hex[:2]}/{orphan.hex}/original", b"left by a crash")
    assert housekeeping.clean()["files of no upload"] == 0
    monkeypatch.setattr(housekeeping, "MIN_AGE", datetime.timedelta(0))
    assert housekeeping.clean()["files of no upload"] == 1
    assert not list(files.rglob(orphan.hex))
    assert storing.read(Upload.objects.get(pk=kept["id"]).original) == picture()


def test_one_of_many_workers_cleans_up_and_then_none_for_an_hour(client: Client) -> None:
    begin(client, picture())
    ResumableUpload.objects.update(expires_at="2020-01-01T00:00:00Z")
    done = at_once(6, housekeeping.clean_if_due)
    assert [round["unfinished uploads"] for round in done if round] == [1]
    assert kind_named("picture").tidy is housekeeping.clean_if_due
    assert housekeeping.clean_if_due() == {}
    Round.objects.update(due_at="2020-01-01T00:00:00Z")
    assert housekeeping.clean_if_due()["unfinished uploads"] == 0


def test_a_worker_s_sweeper_lets_the_kinds_tidy_up(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(client, picture())
    ResumableUpload.objects.update(expires_at="2020-01-01T00:00:00Z")
    monkeypatch.setattr(tidying, "ASK_EVERY_S", 0.05)
    stopping = threading.Event()
    sweeper = threading.Thread(target=worker.sweep_until, args=(stopping,))
    sweeper.start()
    for _ in range(200):
        if ResumableUpload.objects.count() == 0:
            break
        threading.Event().wait(0.05)
    stopping.set()
    sweeper.join()
    assert ResumableUpload.objects.count() == 0


def test_deleting_also_removes_what_a_worker_stored_before_it_died(
    client: Client, files: Path
) -> None:
    answered = upload(client)
    folder = folder_of(uuid.UUID(answered["id"]))
    storing.write(str(folder / "thumbnail"), b"stored, but not told")
    client.delete(answered["links"]["self"])
    assert stored(files) == []


def test_the_row_and_its_message_wait_for_the_transaction_to_commit(owner: User) -> None:
    from django.db import transaction

    assert connection.in_atomic_block is False

    def accept_and_fail() -> None:
        with transaction.atomic():
            services.accept(owner=owner, files=[NamedFile("a.jpg", picture())])
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        accept_and_fail()
    assert Upload.objects.count() == 0
