"""What nobody will ask for again is removed."""

from __future__ import annotations

import datetime
import threading
import uuid
from pathlib import Path

import pytest
from django.test import Client

from discern.web.jobs import tidying, worker
from discern.web.jobs.registry import kind_named
from discern.web.uploads import housekeeping, storing
from discern.web.uploads.models import (
    ResumableUpload,
    Round,
    Upload,
)
from tests.fakes.pictures import picture
from tests.web.uploads.sending import (
    at_once,
    begin,
    upload,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_files_of_no_row_are_cleaned_away_once_they_are_old(
    client: Client, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
