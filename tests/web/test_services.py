"""A site whose file jobs are carried by Redis and by RabbitMQ."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.needed import lacking
from tests.services import RabbitMQ, Redis
from tests.web.live import LiveSite

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(params=[Redis, RabbitMQ])
def broker(request: pytest.FixtureRequest) -> Iterator[str]:
    if reason := request.param.missing():
        lacking(reason)
    with request.param() as service:
        yield service.url


def test_celery_carries_jobs_and_a_killed_worker_s_job_is_finished_by_the_next(
    broker: str, tmp_path: Path
) -> None:
    settings = {
        "DISCERN_BROKER_URL": broker,
        "DISCERN_JOB_LEASE_S": "2",
        "DISCERN_WORKER_THREADS": "1",
        "DISCERN_TEST_ENGINE": "tests.web.test_text_jobs_killed.SlowJournal",
        "DISCERN_TEST_JOURNAL": str(tmp_path / "journal"),
        # Celery and kombu are not held to this project's warnings.
        "PYTHONWARNINGS": "default",
    }
    with LiveSite(tmp_path, settings=settings) as site, site.client() as client:
        worker = site.start("discern.web", "runworker")
        done = [send(client, "text\ngood\nbad\n") for _ in range(3)]
        wait_for(lambda: {state(client, url) for url in done} == {"done"}, site)
        long = send(client, "text\n" + "good\n" * 1_500)
        wait_for(lambda: progress(client, long) > 0, site)
        site.end(worker, signal.SIGKILL)
        site.start("discern.web", "runworker")
        wait_for(lambda: state(client, long) == "done", site)
        assert client.get(long).json()["distribution"]["positive"] == 1_500


def send(client: httpx.Client, content: str) -> str:
    answer = client.post("/api/v1/text-jobs", files={"file": ("t.csv", content.encode())})
    assert answer.status_code == 202
    return str(answer.json()["links"]["self"])


def state(client: httpx.Client, url: str) -> str:
    return str(client.get(url).json()["state"])


def progress(client: httpx.Client, url: str) -> int:
    return int(client.get(url).json()["progress"]["done"])


def wait_for(condition: Callable[[], bool], site: LiveSite, *, within_s: float = 120.0) -> None:
    limit = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < limit, site.log("discern.web")
        time.sleep(0.1)
