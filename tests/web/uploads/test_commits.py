"""A database that fails at COMMIT leaves no file without its row and no row without its file."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, connections, transaction
from django.test import Client

from discern.web.accounts.models import User
from discern.web.jobs.models import INTERACTIVE
from discern.web.uploads import housekeeping, leftovers, services, storing
from discern.web.uploads.leftovers import doubts
from discern.web.uploads.models import IdempotentRequest, ResumableUpload, Upload
from tests.fakes.pictures import picture
from tests.web.uploads.sending import NamedFile, at_once, begin, part, send, stored

pytestmark = pytest.mark.django_db(transaction=True)

# What stays allowed until the COMMIT: a reference to a row that does not exist, or the end of the
# session itself, as when the database is restarted at that moment.
FAILING_AT_COMMIT = {
    "sqlite": (
        "CREATE TRIGGER fail_at_commit AFTER INSERT ON uploads_upload BEGIN "
        "UPDATE uploads_upload SET owner_id = -1 WHERE id = NEW.id; END",
        "DROP TRIGGER fail_at_commit",
    ),
    "postgresql": (
        "CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
        "CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON uploads_upload "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_session()",
        "DROP TRIGGER fail_at_commit ON uploads_upload; DROP FUNCTION end_session",
    ),
}


@contextmanager
def commits_fail() -> Iterator[None]:
    """Every COMMIT of a new picture fails, in the database itself."""
    make, drop = FAILING_AT_COMMIT[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(make)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(drop)


@contextmanager
def answers_of_commits_get_lost(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database commits, and the connection breaks before it says so."""
    backend: Any = type(connections["default"])
    real = backend._commit

    def commit(self: Any) -> Any:
        real(self)
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(backend, "_commit", commit)
        yield


def by_form(client: Client) -> Callable[[], Any]:
    return lambda: send(client, picture("red"), picture("blue"))


def once_by_key(client: Client) -> Callable[[], Any]:
    return lambda: send(client, picture("red"), HTTP_IDEMPOTENCY_KEY="once")


def in_parts(client: Client) -> Callable[[], Any]:
    content = picture()
    location = begin(client, content)
    return lambda: part(client, location, 0, content)


WAYS = pytest.mark.parametrize("way", [by_form, once_by_key, in_parts])


@pytest.fixture(autouse=True)
def _unbroken(client: Client) -> None:
    client.raise_request_exception = False


@WAYS
def test_a_commit_that_fails_leaves_neither_row_nor_file_and_the_next_try_succeeds(
    client: Client, files: Path, way: Callable[[Client], Callable[[], Any]]
) -> None:
    act = way(client)
    with commits_fail():
        assert act().status_code >= 500
        doubts.join()
        assert stored(files) == []
        assert Upload.objects.count() == IdempotentRequest.objects.count() == 0
    assert act().status_code in {202, 204}
    assert stored(files) == ["original"] * Upload.objects.count() != []


@WAYS
def test_a_commit_whose_answer_got_lost_keeps_the_files_of_what_it_stored(
    client: Client,
    files: Path,
    way: Callable[[Client], Callable[[], Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    act = way(client)
    with answers_of_commits_get_lost(monkeypatch):
        assert act().status_code == 503
    doubts.join()
    assert Upload.objects.count() == len(stored(files)) > 0
    for row in Upload.objects.all():
        assert storing.read(row.original)
    if way is once_by_key:
        assert act()["Idempotent-Replay"] == "true"


def test_a_transaction_that_is_yet_to_end_is_waited_for_before_files_are_removed(
    owner: User, files: Path
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, for whom others wait")
    found = services.examine([NamedFile("a.jpg", picture())])[0]
    open_, end = threading.Event(), threading.Event()
    rows: list[Upload] = []

    def store() -> None:
        with (
            services.written(
                owner=owner, candidates=found, priority=INTERACTIVE, find="text"
            ) as written,
            transaction.atomic(),
        ):
            services.put_in(owner=owner, rows=written)
            rows.extend(written)
            open_.set()
            end.wait(20)
        connection.close()

    storer = threading.Thread(target=store)
    storer.start()
    assert open_.wait(20)
    doubts.settle(rows)
    threading.Timer(0.5, end.set).start()
    doubts.join()
    storer.join()
    assert stored(files) == ["original"]
    assert Upload.objects.count() == 1


def test_files_that_the_database_is_not_back_in_time_for_are_left_to_the_cleaning(
    client: Client, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Upload) -> bool:
        raise OperationalError("the database system is starting up")

    monkeypatch.setattr(leftovers, "WAIT_S", 0.0)
    monkeypatch.setattr(leftovers, "is_stored", away)
    with commits_fail():
        send(client, picture())
        doubts.join()
    assert stored(files) == ["original"]
    monkeypatch.setattr(housekeeping, "MIN_AGE", datetime.timedelta(0))
    assert housekeeping.clean()["files of no upload"] == 1


def test_what_a_broken_transaction_was_to_store_is_taken_back(owner: User, files: Path) -> None:
    found = services.examine([NamedFile("a.jpg", picture())])[0]

    def store_and_fail(error: Exception) -> None:
        with (
            services.written(
                owner=owner, candidates=found, priority=INTERACTIVE, find="text"
            ) as rows,
            transaction.atomic(),
        ):
            services.put_in(owner=owner, rows=rows)
            raise error

    for error in (RuntimeError("changed my mind"), Error("away")):
        with pytest.raises(type(error)):
            store_and_fail(error)
        doubts.join()
        assert Upload.objects.count() == 0
        assert stored(files) == []


def test_nothing_is_stored_in_a_transaction_that_somebody_else_ends(
    owner: User, files: Path
) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        services.accept(owner=owner, files=[NamedFile("a.jpg", picture())])
    assert Upload.objects.count() == ResumableUpload.objects.count() == 0
    assert stored(files) == []


def test_two_workers_that_store_one_picture_at_once_leave_one_file(files: Path) -> None:
    name = "pictures/00/one/picture"
    data = picture(size=(800, 600))
    for _ in range(20):
        assert at_once(4, lambda: storing.write(name, data)) == [name] * 4
        assert storing.read(name) == data
    assert stored(files) == ["picture"]
