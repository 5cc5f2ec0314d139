"""A row is worked on by one worker at a time and is never lost."""

from __future__ import annotations

from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from discern.web.jobs import services
from discern.web.jobs.models import BATCH, INTERACTIVE, State
from discern.web.jobs.outcome import Outcome
from discern.web.jobs.registry import kind_named
from discern.web.jobs.work import LeaseLost, Work
from tests.web.chores.kind import KIND
from tests.web.chores.models import Chore
from tests.web.jobs.working import add, claim, end_lease, in_threads, state, work_on

pytestmark = pytest.mark.django_db(transaction=True)


def test_kinds_of_which_nothing_waits_are_not_asked_for_rows() -> None:
    chore = add()
    with CaptureQueriesContext(connection) as statements:
        [won] = services.claim_next(owner="w", among=[kind_named("text"), KIND], limit=1)
    assert (won.kind, won.pk) == (KIND, chore.pk)
    lists = [row["sql"] for row in statements if "ORDER BY" in row["sql"]]
    assert len(lists) == 1
    assert Chore._meta.db_table in lists[0]


def test_many_workers_claim_every_row_once_and_none_twice() -> None:
    chores = {add().pk for _ in range(40)}

    def take_all(number: int) -> list[Any]:
        taken = []
        while claims := services.claim_next(owner=f"w{number}", among=[KIND], limit=2):
            taken += [won.pk for won in claims]
        return taken

    taken = [pk for own in in_threads(6, take_all) for pk in own]
    leftover = services.claim_next(owner="last", among=[KIND], limit=40)
    taken += [won.pk for won in leftover]
    assert len(taken) == len(set(taken))
    assert set(taken) == chores


def test_one_row_that_all_want_is_won_by_one() -> None:
    chore = add()
    wins = in_threads(8, lambda number: services.claim(KIND, chore.pk, owner=str(number)))
    assert sum(won is not None for won in wins) == 1


def test_a_finished_row_has_its_result_and_no_lease() -> None:
    chore = add()
    assert work_on(chore) is Outcome.SETTLED
    assert state(chore) == State.DONE
    assert (chore.result, chore.lease_token, chore.lease_expires_at) == ("nothing", "", None)
    assert chore.started_at is not None
    assert chore.finished_at is not None


def test_urgent_work_goes_first_then_the_oldest() -> None:
    rows = [add(priority=BATCH), add(priority=INTERACTIVE), add(priority=INTERACTIVE)]
    claims = services.claim_next(owner="w", among=[KIND], limit=3)
    assert [won.pk for won in claims] == [rows[1].pk, rows[2].pk, rows[0].pk]


def test_a_row_is_not_claimed_before_it_is_available() -> None:
    chore = add(available_at=timezone.now() + timedelta(minutes=1))
    assert services.claim_next(owner="w", among=[KIND], limit=1) == []
    assert services.claim(KIND, chore.pk, owner="w") is None


def test_a_dead_worker_s_row_is_requeued_when_its_lease_ends_and_not_before() -> None:
    chore = add()
    claim(chore)
    assert services.sweep()["requeued"] == 0
    end_lease(chore)
    assert services.sweep()["requeued"] == 1
    assert work_on(chore) is Outcome.SETTLED
    assert state(chore) == State.DONE


def test_a_row_that_kills_its_worker_three_times_is_dead_with_a_reason() -> None:
    chore = add()
    for _ in range(3):
        assert state(chore) == State.QUEUED
        claim(chore)
        end_lease(chore)
        services.sweep()
    assert state(chore) == State.DEAD
    assert chore.error_code == "worker_died"
    assert "3 times" in chore.error_message


def test_a_long_row_that_makes_progress_is_not_taken_for_a_killer() -> None:
    chore = add()
    for done in range(1, 6):
        won = claim(chore)
        work = Work(chore, won, lost=Event(), stopping=Event())
        work.report(done, total=10)
        end_lease(chore)
        services.sweep()
        assert state(chore) == State.QUEUED
    assert (chore.progress_done, chore.progress_total) == (5, 10)


def test_a_worker_that_lost_its_lease_can_change_nothing() -> None:
    chore = add()
    old = claim(chore)
    end_lease(chore)
    services.sweep()
    new = claim(chore)
    assert not services.renew(old)
    assert not services.finish(old, result="stale")
    assert not services.fail(old, code="x", message="x")
    assert not services.put_back(old, priority=0)
    with pytest.raises(LeaseLost), Work(chore, old, lost=Event(), stopping=Event()).fenced():
        pytest.fail("the fence let a stale worker in")
    assert services.finish(new, result="fresh")
    assert (state(chore), chore.result) == (State.DONE, "fresh")


def test_what_is_written_inside_the_fence_is_undone_when_it_fails() -> None:
    chore = add()
    work = Work(chore, claim(chore), lost=Event(), stopping=Event())

    def write_and_fail() -> None:
        with work.fenced(progress_done=5):
            Chore.objects.create(result="beside")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    assert Chore.objects.filter(result="beside").count() == 0
    assert Chore.objects.get(pk=chore.pk).progress_done == 0
