"""A worker that ended is noticed by the others of its machine, and by no mistake a living one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from discern.web.jobs import services
from discern.web.jobs.models import State
from discern.web.jobs.owners import has_ended, owner_name
from tests.web.chores.kind import KIND
from tests.web.chores.models import Chore

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system has no /proc"),
]
NAME_ITSELF = (
    "from discern.web.jobs.owners import owner_name; import time;"
    "print(owner_name(), flush=True); time.sleep(600)"
)


class Other:
    """Another process and the name it gives itself."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NAME_ITSELF], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.name = self.process.stdout.readline().strip()


@pytest.fixture
def other() -> Iterator[Other]:
    running = Other()
    yield running
    running.process.kill()
    running.process.wait()
    assert running.process.stdout is not None
    running.process.stdout.close()


def held_by(owner: str, **columns: int) -> Chore:
    chore = Chore(**columns)
    services.enqueue(chore)
    assert services.claim(KIND, chore.pk, owner=owner) is not None
    return chore


def test_a_running_process_has_not_ended(other: Other) -> None:
    assert not has_ended(other.name)
    assert not has_ended(owner_name())


def test_a_killed_process_has_ended_also_before_its_parent_has_noticed(other: Other) -> None:
    other.process.kill()
    os.waitid(os.P_PID, other.process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
    assert has_ended(other.name)
    other.process.wait()
    assert has_ended(other.name)


def test_a_number_used_again_is_another_process() -> None:
    host, pid, started, numbering = owner_name().rsplit(":", 3)
    assert has_ended(f"{host}:{pid}:{int(started) - 1}:{numbering}")


@pytest.mark.parametrize("name", ["", "w1", "host:12", "host:x:1:y", "a test"])
def test_nothing_is_concluded_from_a_name_that_does_not_tell(name: str) -> None:
    assert not has_ended(name)


def test_nothing_is_concluded_about_another_machine_or_container(other: Other) -> None:
    other.process.kill()
    other.process.wait()
    host, pid, started, _ = other.name.rsplit(":", 3)
    assert not has_ended(f"{host}:{pid}:{started}:{'0' * 16}")


def test_the_longest_host_name_leaves_room_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)
    room = Chore._meta.get_field("lease_owner").max_length
    assert room is not None
    assert len(owner_name()) <= room - 10


def test_rows_of_an_ended_process_return_at_once_and_others_stay(other: Other) -> None:
    lost, kept = held_by(other.name), held_by(owner_name())
    assert services.reap() == {"requeued": 0, "buried": 0, "reminded": 0}
    other.process.kill()
    os.waitid(os.P_PID, other.process.pid, os.WEXITED | os.WNOWAIT)
    assert services.reap()["requeued"] == 1
    lost.refresh_from_db()
    kept.refresh_from_db()
    assert (lost.state, lost.lease_token, lost.lease_owner) == (State.QUEUED, "", "")
    assert kept.state == State.PROCESSING
    assert services.claim(KIND, lost.pk, owner=owner_name()) is not None


def test_a_row_whose_process_ended_on_its_last_try_is_buried(other: Other) -> None:
    chore = held_by(other.name, attempts=KIND.max_attempts - 1)
    other.process.kill()
    other.process.wait()
    assert services.reap()["buried"] == 1
    chore.refresh_from_db()
    assert (chore.state, chore.error_code) == (State.DEAD, "worker_died")
