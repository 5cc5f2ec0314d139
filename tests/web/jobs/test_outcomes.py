"""What becomes of a row whose work fails, hangs or is stopped."""

from __future__ import annotations

from threading import Event

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from discern.errors import DeadlineExceeded, EngineUnreachable, InvalidInput, Overloaded
from discern.web.jobs import services
from discern.web.jobs.models import State
from discern.web.jobs.outcome import MAX_ENGINE_LOSSES, Outcome, run
from discern.web.jobs.work import Stopping, Work
from tests.web.chores.kind import KIND, Chosen
from tests.web.chores.models import Chore
from tests.web.jobs.working import add, claim, end_lease, state, work_on

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("error", [Overloaded("x"), DeadlineExceeded("x"), EngineUnreachable("x")])
def test_an_engine_that_is_away_costs_no_attempt(error: Exception) -> None:
    def away(_work: Work[Chore]) -> None:
        raise error

    Chosen.doing = staticmethod(away)
    chore = add()
    assert work_on(chore) is Outcome.WAITING
    assert state(chore) == State.QUEUED
    assert chore.attempts == 0
    assert chore.available_at > timezone.now()


def test_work_cut_off_by_its_carriers_limit_ends_as_past_its_own_and_is_not_tried_blindly() -> None:
    def hangs(_work: Work[Chore]) -> None:
        raise SoftTimeLimitExceeded

    Chosen.doing = staticmethod(hangs)
    chore = add()
    for attempt in range(1, KIND.max_attempts + 1):
        told = run(claim(chore), stopping=Event(), cut_off=(SoftTimeLimitExceeded,))
        assert told is Outcome.LOST
        assert (state(chore), chore.attempts) == (State.PROCESSING, attempt)
        end_lease(chore)
        services.sweep()
    assert (state(chore), chore.error_code) == (State.DEAD, "worker_died")


def test_a_row_that_takes_the_model_server_down_each_time_is_set_aside() -> None:
    def away(_work: Work[Chore]) -> None:
        raise EngineUnreachable.while_asked("connection reset")

    Chosen.doing = staticmethod(away)
    chore = add()
    for _ in range(MAX_ENGINE_LOSSES):
        Chore.objects.update(available_at=timezone.now())
        work_on(chore)
    assert state(chore) == State.DEAD
    assert "10 times" in chore.error_message


def test_a_row_outlives_any_number_of_refusals_and_comes_back_less_and_less_often() -> None:
    def refused(_work: Work[Chore]) -> None:
        raise EngineUnreachable("connection refused", retry_after_s=1.0)

    Chosen.doing = staticmethod(refused)
    chore = add()
    pauses = []
    for _ in range(5 * MAX_ENGINE_LOSSES):
        Chore.objects.update(available_at=timezone.now())
        assert work_on(chore) is Outcome.WAITING
        assert state(chore) == State.QUEUED
        pauses.append((chore.available_at - timezone.now()).total_seconds())
    assert (chore.attempts, chore.engine_losses) == (0, 0)
    assert pauses[0] < 2 < 20 < pauses[-1] < 40
    Chosen.reset()
    Chore.objects.update(available_at=timezone.now())
    assert work_on(chore) is Outcome.SETTLED
    Chosen.doing = staticmethod(refused)
    work_on(other := add())
    other.refresh_from_db()
    assert (other.available_at - timezone.now()).total_seconds() < 2


def test_an_input_that_breaks_a_rule_fails_at_once_with_its_code() -> None:
    def refuse(_work: Work[Chore]) -> None:
        raise InvalidInput("That is not a chore.")

    Chosen.doing = staticmethod(refuse)
    chore = add()
    assert work_on(chore) is Outcome.SETTLED
    assert state(chore) == State.FAILED
    assert (chore.error_code, chore.error_message) == ("invalid_input", "That is not a chore.")


def test_something_unforeseen_is_tried_three_times_with_longer_and_longer_pauses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def burst(_work: Work[Chore]) -> None:
        raise ZeroDivisionError

    Chosen.doing = staticmethod(burst)
    chore = add()
    pauses = []
    for _ in range(2):
        assert work_on(chore) is Outcome.RETURNED
        assert state(chore) == State.QUEUED
        pauses.append(chore.available_at - timezone.now())
        Chore.objects.update(available_at=timezone.now())
    work_on(chore)
    assert state(chore) == State.FAILED
    assert chore.error_code == "internal_error"
    assert pauses[0] < pauses[1]
    assert "ZeroDivisionError" in caplog.text


def test_a_stopping_worker_returns_the_row_at_once_and_unspent() -> None:
    def stop(_work: Work[Chore]) -> None:
        raise Stopping

    Chosen.doing = staticmethod(stop)
    chore = add()
    assert work_on(chore) is Outcome.RETURNED
    assert (state(chore), chore.attempts) == (State.QUEUED, 0)
    assert services.claim(KIND, chore.pk, owner="next") is not None


def test_the_lease_is_renewed_while_the_handler_works() -> None:
    def longer_than_the_lease(work: Work[Chore]) -> dict[str, str]:
        for _ in range(10):
            Event().wait(0.12)
            services.sweep()
            work.check()
        return {"result": "kept"}

    Chosen.doing = staticmethod(longer_than_the_lease)
    chore = add()
    assert work_on(chore) is Outcome.SETTLED
    assert (state(chore), chore.result) == (State.DONE, "kept")


def test_a_handler_learns_that_its_row_was_deleted() -> None:
    def until_lost(work: Work[Chore]) -> None:
        Chore.objects.all().delete()
        for _ in range(100):
            Event().wait(0.05)
            work.check()
        pytest.fail("nobody told the handler")

    Chosen.doing = staticmethod(until_lost)
    assert work_on(add()) is Outcome.LOST
    assert Chore.objects.count() == 0


def test_a_handler_that_hangs_loses_its_row(caplog: pytest.LogCaptureFixture) -> None:
    def hang(work: Work[Chore]) -> None:
        for _ in range(200):
            Event().wait(0.05)
            work.check()
        pytest.fail("the time limit did not end it")

    Chosen.doing = staticmethod(hang)
    chore = add()
    assert work_on(chore) is Outcome.LOST
    Event().wait(0.7)
    assert services.sweep()["requeued"] == 1
    assert state(chore) == State.QUEUED


def test_a_failed_row_can_be_tried_again_and_a_waiting_one_cannot() -> None:
    chore = add()
    assert not services.retry(chore)
    services.fail(claim(chore), code="x", message="y", state=State.DEAD)
    assert services.retry(chore)
    assert state(chore) == State.QUEUED
    assert (chore.attempts, chore.error_code) == (0, "")
