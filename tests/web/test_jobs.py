"""A row is worked on by one worker at a time, is never lost, and a poisonous one is set aside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from discern.errors import DeadlineExceeded, EngineUnreachable, InvalidInput, Overloaded
from discern.web.jobs import carriers, services
from discern.web.jobs.models import BATCH, INTERACTIVE, State
from discern.web.jobs.outcome import MAX_ENGINE_LOSSES, Outcome, run
from discern.web.jobs.registry import kind_named
from discern.web.jobs.services import Claim
from discern.web.jobs.work import LeaseLost, Stopping, Work
from tests.web.chores.kind import KIND, Chosen
from tests.web.chores.models import Chore

pytestmark = pytest.mark.django_db(transaction=True)


def add(**columns: Any) -> Chore:
    chore = Chore(**columns)
    services.enqueue(chore)
    return chore


def claim(chore: Chore) -> Claim:
    won = services.claim(KIND, chore.pk, owner="a test", tries=chore.attempts)
    assert won is not None
    return won


def work_on(chore: Chore) -> Outcome:
    return run(claim(chore), stopping=Event())


def in_threads(count: int, act: Callable[[int], Any]) -> list[Any]:
    """Runs ``act`` in threads that start together, each with a connection of its own."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def end_lease(chore: Chore) -> None:
    Chore.objects.filter(pk=chore.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def state(chore: Chore) -> str:
    chore.refresh_from_db()
    return chore.state


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


class Messages:
    """A carrier that keeps what it was told, unless its broker is ``away``."""

    sends_messages = True

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.away = False

    def notify(self, kind: str, pk: Any, *, priority: int, delay_s: float = 0.0) -> bool:
        if not self.away:
            self.sent.append(pk)
        return not self.away


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> Messages:
    kept = Messages()
    monkeypatch.setattr(services, "carrier", lambda: kept)
    return kept


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
