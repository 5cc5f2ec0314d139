"""The nightly jobs: due once a night, begun again where they were cut off, and told of."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from discern.errors import EngineUnreachable, ModelNotFound
from discern.recommendations.contract import Interaction
from discern.web.jobs import services as jobs
from discern.web.jobs.outcome import Outcome, run
from discern.web.jobs.registry import kind_named
from discern.web.recommendations import nightly
from discern.web.recommendations.interactions import record
from discern.web.recommendations.models import LearningJob, Person, PrecomputedList
from tests.fakes.recommender import ShelfEngine
from tests.web.recommendations.asking import API, SHELF

NIGHT = date(2030, 5, 4)
PEOPLE = 120


@pytest.fixture(autouse=True)
def _people(contents: None) -> Iterator[None]:
    events = [Interaction(f"p{i}", SHELF[0], liked=True, at=1.0) for i in range(PEOPLE)]
    record(interactions=events)
    nightly._settled_nights.clear()
    yield
    nightly._settled_nights.clear()


def at(day: date, hour: int) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day, hour, 30))


def work_on(job: LearningJob) -> Outcome:
    claim = jobs.claim(kind_named("learning"), job.pk, owner="test")
    assert claim is not None
    return run(claim, stopping=threading.Event())


def precompute(night: date = NIGHT) -> LearningJob:
    assert nightly._enqueue_once(LearningJob.Task.PRECOMPUTE, night)
    return LearningJob.objects.get(task="precompute", night=night)


def test_the_nights_fit_is_put_in_once_whoever_asks_and_however_often() -> None:
    assert nightly.enqueue_due(at(NIGHT, 4)) == 1
    nightly._settled_nights.clear()  # as in another process
    assert nightly.enqueue_due(at(NIGHT, 5)) == 0
    assert nightly.enqueue_due(at(NIGHT + timedelta(days=1), 2)) == 0
    assert nightly.enqueue_due(at(NIGHT + timedelta(days=1), 4)) == 1
    assert [job.night for job in LearningJob.objects.order_by("night")] == [
        NIGHT,
        NIGHT + timedelta(days=1),
    ]


def test_every_sweeper_asks_for_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timezone, "now", lambda: at(NIGHT, 4))
    assert jobs.put_in_due()["put in"] == 1


def test_a_new_site_waits_for_its_first_night_and_one_that_was_off_makes_up_for_it() -> None:
    now = timezone.now()
    assert nightly.enqueue_due(now) == 0
    LearningJob.objects.create(task="fit", night=now.date() - timedelta(days=3), state="done")
    assert nightly.enqueue_due(now) == 1


def test_a_site_without_interactions_has_nothing_to_learn() -> None:
    Person.objects.all().delete()
    assert nightly.enqueue_due(at(NIGHT, 4)) == 0


def test_the_nights_lists_answer_while_the_model_server_is_away(
    shelf: ShelfEngine, api: Client
) -> None:
    assert work_on(precompute()) is Outcome.SETTLED
    assert PrecomputedList.objects.count() == PEOPLE
    shelf.failure = EngineUnreachable("away", retry_after_s=1.0)
    answer = api.get(f"{API}/recommendations?person=p7").json()
    assert answer["source"] == "precomputed"
    assert [item["content_id"] for item in answer["items"]] == SHELF[1:11]
    assert answer["items"][0]["reason"]["text"] == "because you liked Text 0"


def test_lists_cut_off_by_an_outage_are_begun_again_where_they_were(
    shelf: ShelfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = precompute()
    real = shelf.recommend
    asked: list[Any] = []

    def fails_after_a_while(request: Any, **options: Any) -> Any:
        asked.append(request)
        if len(asked) == 71:
            raise EngineUnreachable("away", retry_after_s=0.0)
        return real(request, **options)

    monkeypatch.setattr(shelf, "recommend", fails_after_a_while)
    assert work_on(job) is Outcome.WAITING
    job.refresh_from_db()
    assert (job.state, job.progress_done, job.progress_total) == ("queued", 50, PEOPLE)
    LearningJob.objects.update(available_at=timezone.now())
    assert work_on(job) is Outcome.SETTLED
    job.refresh_from_db()
    assert (job.state, job.progress_done) == ("done", PEOPLE)
    assert len(asked) == PEOPLE + 1, "nobody's list was made twice but the failed one's"


def test_before_the_first_fit_there_are_no_lists_to_make(shelf: ShelfEngine) -> None:
    shelf.failure = ModelNotFound("none")
    job = precompute()
    assert work_on(job) is Outcome.SETTLED
    job.refresh_from_db()
    assert (job.state, job.stage) == ("done", "nothing was fitted yet")


def test_beat_asks_on_the_minute_the_night_is_due() -> None:
    from discern.web.jobs.celery import app

    entry = app.conf.beat_schedule["discern.put_in_due"]
    assert entry["task"] in app.tasks
    when = entry["schedule"]
    assert (when.hour, when.minute) == ({nightly.NIGHTLY_AT.hour}, {nightly.NIGHTLY_AT.minute})
    assert str(app.conf.timezone) == settings.TIME_ZONE


def _raises(_work: Any) -> Any:
    raise RuntimeError("the disk is on fire")


def test_lists_follow_a_fit_that_failed_with_an_unexpected_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(nightly, "fit_beside", _raises)
    assert nightly.enqueue_due(at(NIGHT, 4)) == 1
    job = LearningJob.objects.get()
    for _ in range(kind_named("learning").max_attempts):
        assert nightly.enqueue_due(at(NIGHT, 5)) == 0, "the fit is not over"
        LearningJob.objects.update(available_at=timezone.now())
        work_on(job)
    job.refresh_from_db()
    assert job.state == "failed"
    assert nightly.enqueue_due(at(NIGHT, 5)) == 1
    assert LearningJob.objects.filter(task="precompute", night=NIGHT).count() == 1
    assert nightly.enqueue_due(at(NIGHT, 5)) == 0


def test_lists_follow_a_fit_whose_process_died(monkeypatch: pytest.MonkeyPatch) -> None:
    nightly.enqueue_due(at(NIGHT, 4))
    LearningJob.objects.update(state="dead")
    assert nightly.enqueue_due(at(NIGHT, 5)) == 1
    assert LearningJob.objects.get(task="precompute").night == NIGHT


def test_only_one_fit_at_a_time_and_its_course_is_told(api: Client) -> None:
    path = f"{API}/recommendations/fits"
    for wrong in ({"tune_seconds": -1}, {"tune_seconds": "long"}, {"tune_seconds": 1e9}):
        assert api.post(path, wrong, content_type="application/json").status_code == 400
    made = api.post(path, {"tune_seconds": 0}, content_type="application/json")
    assert made.status_code == 202
    assert api.post(path, {}, content_type="application/json").status_code == 409
    told = api.get(f"{path}/{made.json()['id']}").json()
    assert (told["state"], told["tune_seconds"]) == ("queued", 0)
    assert api.get(path).json()["results"] == [told]
    other = precompute()
    assert api.get(f"{path}/{other.pk}").status_code == 404
