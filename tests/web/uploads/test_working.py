"""What becomes of a picture: done, done in part, failed, dead, deleted."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from discern.errors import InferenceFailed, ModelNotReady
from discern.web.jobs import services as jobs
from discern.web.jobs.models import State
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.registry import kind_named
from discern.web.uploads import storing
from discern.web.uploads.models import (
    Upload,
    folder_of,
)
from tests.fakes.pictures import PictureEngine, picture
from tests.web.uploads.sending import (
    stored,
    upload,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)


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
        "message": "The model failed on this picture. It is kept until you delete it; you can "
        "retry.",
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


def test_deleting_also_removes_what_a_worker_stored_before_it_died(
    client: Client, files: Path
) -> None:
    answered = upload(client)
    folder = folder_of(uuid.UUID(answered["id"]))
    storing.write(str(folder / "thumbnail"), b"stored, but not told")
    client.delete(answered["links"]["self"])
    assert stored(files) == []
