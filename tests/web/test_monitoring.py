"""The site can be watched: numbers that are right over several processes, and honest probes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from discern.errors import Overloaded
from discern.web.environment import Environment
from discern.web.monitoring import access, views
from discern.web.processes import forget_dead_processes
from tests.fakes.engine import WordEngine
from tests.web.chores.models import Chore
from tests.web.live import LiveSite


def numbers(text: str) -> dict[str, float]:
    """``name{label="value"}`` -> value, with labels in alphabetic order."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    settings = {"DISCERN_WEB_PROCESSES": "2", "DISCERN_METRICS_TOKEN": "scrape-me"}
    with LiveSite(tmp_path_factory.mktemp("two"), settings=settings) as site:
        yield site


def _until_both_answer(site: LiveSite) -> None:
    limit = time.monotonic() + 60
    while True:
        with site.client() as client:
            client.get("/api/v1/session")
        processes = {
            found[1]
            for path in (site.home / "metrics").glob("histogram_*.db")
            if (found := re.search(r"_(\d+)\.db", path.name))
        }
        if len(processes) >= 2:
            return
        assert time.monotonic() < limit, processes
        time.sleep(0.05)


def test_the_numbers_of_two_processes_add_up_whichever_is_asked(two_processes: LiveSite) -> None:
    good, bad = 60, 20

    def ask(number: int) -> str:
        # A connection of its own each time, so that both processes get some.
        with two_processes.client() as client:
            body = {"text": "good" if number < good else " "}
            return client.post("/api/v1/analyze", json=body).headers["X-Request-Id"]

    _until_both_answer(two_processes)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(good + bad)))
    headers = {"Authorization": "Bearer scrape-me"}
    scrapes = []
    for _ in range(6):
        with two_processes.client(key=False) as client:
            scrapes.append(numbers(client.get("/metrics", headers=headers).text))
    model = 'model_name="words",model_version="1.0.0"'
    for scrape in scrapes:
        assert scrape[f"model_prediction_seconds_count{{{model}}}"] == good
        assert scrape[f'model_predictions_total{{{model},outcome="ok"}}'] == good
        route = 'method="POST",route="api/v1/analyze"'
        assert scrape[f'http_requests_total{{{route},status="200"}}'] == good
        assert scrape[f'http_requests_total{{{route},status="400"}}'] == bad
        assert scrape['http_request_seconds_count{route="api/v1/analyze"}'] == good + bad


def test_the_metrics_need_their_token_when_one_is_set(two_processes: LiveSite) -> None:
    with two_processes.client(key=False) as client:
        assert client.get("/metrics").status_code == 403
        wrong = client.get("/metrics", headers={"Authorization": "Bearer scrape"})
        assert wrong.status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "proxies", "allowed"),
    [
        ("127.0.0.1", 0, True),
        ("::1", 0, True),
        ("192.0.2.1", 0, False),
        ("", 0, False),
        ("127.0.0.1", 1, False),
    ],
)
def test_without_a_token_only_this_machine_may_scrape_and_nobody_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, address: str, proxies: int, allowed: bool
) -> None:
    monkeypatch.setattr(access, "load_environment", lambda: Environment(proxies=proxies))
    answer = Client().get("/metrics", REMOTE_ADDR=address)
    assert answer.status_code == (200 if allowed else 403)


@pytest.mark.django_db
def test_a_failed_prediction_is_timed_and_counted_under_its_code(
    api: Client, engine: WordEngine
) -> None:
    before = numbers(Client().get("/metrics").content.decode())
    api.post("/api/v1/analyze", {"text": "good"}, content_type="application/json")
    engine.failure = Overloaded("The queue is full.")
    api.post("/api/v1/analyze", {"text": "good"}, content_type="application/json")
    after = numbers(Client().get("/metrics").content.decode())
    model = 'model_name="words",model_version="1.0.0"'

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown(f"model_prediction_seconds_count{{{model}}}") == 2
    assert grown(f'model_predictions_total{{{model},outcome="ok"}}') == 1
    assert grown(f'model_predictions_total{{{model},outcome="overloaded"}}') == 1


@pytest.mark.django_db
def test_the_queues_are_counted_by_state_with_the_longest_wait() -> None:
    for state in ("queued", "queued", "dead"):
        Chore.objects.create(state=state)
    found = numbers(Client().get("/metrics").content.decode())
    assert found['jobs{kind="chore",state="queued"}'] == 2
    assert found['jobs{kind="chore",state="dead"}'] == 1
    assert found['jobs{kind="chore",state="done"}'] == 0
    assert found['job_oldest_wait_seconds{kind="chore"}'] > 0


def test_a_path_never_becomes_a_label(site: LiveSite) -> None:
    with site.client() as client:
        for path in ("/api/v1/secret-one", "/secret-two", "/api/v1/analyses/secret-three"):
            client.get(path)
        client.request("BREW", "/secret-four")
        text = client.get("/metrics").text
    assert "secret" not in text
    assert "BREW" not in text


@pytest.mark.django_db
def test_ready_means_that_the_database_and_the_model_server_answer(
    engine: WordEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    assert client.get("/health/ready").json() == {
        "status": "ready",
        "checks": {"database": "ok", "model_server": "ok"},
    }
    engine.failure = Overloaded("x")
    answer = client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "model_server": "not ready"}

    def away() -> bool:
        raise OperationalError

    monkeypatch.setattr(views, "_migrated", away)
    assert client.get("/health/ready").json()["checks"]["database"] == "unreachable"
    monkeypatch.setattr(views, "_migrated", lambda: False)
    assert client.get("/health/ready").json()["checks"]["database"] == "not migrated"
    assert client.get("/health/live").status_code == 200


@pytest.mark.django_db
def test_a_probe_is_answered_whatever_name_it_asks_by() -> None:
    assert Client().get("/health/live", headers={"host": "10.1.2.3"}).status_code == 200
    assert Client().get("/api/v1/session", headers={"host": "10.1.2.3"}).status_code == 400


def test_the_files_of_dead_processes_are_forgotten_and_of_living_ones_kept(
    tmp_path: Path,
) -> None:
    for name in ("counter_1.db", "counter_99999999.db", "notes.txt"):
        (tmp_path / name).touch()
    assert forget_dead_processes(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_1.db", "notes.txt"]
