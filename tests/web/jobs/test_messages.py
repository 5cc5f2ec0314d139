"""Messages about rows: sent once, and again where they were lost."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import OperationalError, transaction
from django.utils import timezone

from discern.web.jobs import carriers, services
from discern.web.jobs.models import State
from discern.web.jobs.registry import kind_named
from tests.web.chores.models import Chore
from tests.web.jobs.working import Messages, add, claim, end_lease, state

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_is_sent_once_the_row_is_committed_and_never_for_one_that_is_not(
    messages: Messages,
) -> None:
    with transaction.atomic():
        chore = add()
        assert messages.sent == []
    assert messages.sent == [chore.pk]
    with transaction.atomic():
        add()
        transaction.set_rollback(True)
    assert messages.sent == [chore.pk]


def test_the_sweeper_sends_a_lost_message_again_but_less_and_less_often(
    messages: Messages,
) -> None:
    chore = add()
    messages.sent.clear()
    assert services.sweep(silent_s=60)["reminded"] == 0

    def age(*, created: int, notified: int) -> None:
        now = timezone.now()
        Chore.objects.update(
            created_at=now - timedelta(seconds=created),
            notified_at=now - timedelta(seconds=notified),
        )

    age(created=70, notified=70)
    assert services.sweep(silent_s=60)["reminded"] == 1
    age(created=140, notified=65)  # was reminded at 75 s: not again before 150 s
    assert services.sweep(silent_s=60)["reminded"] == 0
    age(created=300, notified=225)
    assert services.sweep(silent_s=60)["reminded"] == 1
    assert messages.sent == [chore.pk, chore.pk]


def test_an_expired_row_is_reminded_of_in_the_same_round(messages: Messages) -> None:
    chore = add()
    messages.sent.clear()
    claim(chore)
    end_lease(chore)
    done = services.sweep()
    assert (done["requeued"], done["reminded"]) == (1, 1)
    assert messages.sent == [chore.pk]


def test_a_message_that_could_not_be_sent_is_sent_in_the_first_round_that_can(
    messages: Messages,
) -> None:
    messages.away = True
    chores = {add().pk, add().pk}
    assert services.sweep()["reminded"] == 0
    messages.away = False
    assert services.sweep()["reminded"] == 2
    assert set(messages.sent) == chores
    assert services.sweep()["reminded"] == 0


def test_a_broker_that_is_away_does_not_fail_the_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("discern.web.jobs.celery.publish", away)
    monkeypatch.setattr(services, "carrier", carriers.CeleryCarrier)
    chore = add()
    assert state(chore) == State.QUEUED
    assert "the sweeper will send it" in caplog.text


@pytest.mark.parametrize("kind", ["learning", "import", "text", "picture", "chore"])
def test_a_message_gives_the_work_its_own_kinds_time_and_a_margin(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discern.web.jobs import celery

    told: list[tuple[float, float]] = []

    def listen(headers: dict[str, Any], **_: Any) -> None:
        told.append(tuple(headers["timelimit"]))

    monkeypatch.setitem(celery.app.conf, "broker_url", "memory://")
    monkeypatch.setitem(celery.app.conf, "broker_transport_options", {})
    before_task_publish.connect(listen)
    try:
        celery.publish(kind, uuid.uuid4(), priority=5)
    finally:
        before_task_publish.disconnect(listen)
    limit_s = kind_named(kind).time_limit_s
    assert told == [(limit_s + 60, limit_s + 30)]
    assert celery.app.conf.task_time_limit is None, "it would end long work however told"
