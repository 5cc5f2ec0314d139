"""What a worker counts, and who may read it."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from discern.errors import ConfigurationInvalid, InvalidInput
from discern.web.environment import Environment
from discern.web.exporter import serve_metrics
from discern.web.jobs import services
from discern.web.jobs.outcome import run
from discern.web.jobs.work import Work
from tests.services import free_port
from tests.web.chores.kind import KIND, Chosen
from tests.web.chores.models import Chore

pytestmark = pytest.mark.django_db(transaction=True)


def runs(outcome: str) -> float:
    labels = {"kind": KIND.name, "outcome": outcome}
    return REGISTRY.get_sample_value("job_runs_total", labels) or 0.0


def work_through(chore: Chore) -> None:
    services.enqueue(chore)
    claim = services.claim(KIND, chore.pk, owner="a test", tries=chore.attempts)
    assert claim is not None
    run(claim, stopping=threading.Event())


def environment(home: Path, token: SecretStr | None = None) -> Environment:
    return Environment(home=home, worker_metrics_port=free_port(), metrics_token=token)


def get(settings: Environment, path: str = "/metrics", token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.worker_metrics_port}{path}",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_run_is_counted_once_by_what_became_of_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_work: Work[Chore]) -> None:
        raise InvalidInput("No.")

    done, failed = runs("done"), runs("failed")
    work_through(Chore())
    assert (runs("done"), runs("failed")) == (done + 1, failed)
    monkeypatch.setattr(Chosen, "doing", staticmethod(refuse))
    work_through(Chore())
    assert (runs("done"), runs("failed")) == (done + 1, failed + 1)


def test_the_wait_and_the_run_of_every_row_are_timed() -> None:
    names = ("job_wait_seconds_count", "job_run_seconds_count")
    before = [REGISTRY.get_sample_value(name, {"kind": KIND.name}) or 0.0 for name in names]
    work_through(Chore())
    after = [REGISTRY.get_sample_value(name, {"kind": KIND.name}) for name in names]
    assert after == [count + 1 for count in before]


def test_a_worker_shows_its_numbers_where_it_is_told_to(tmp_path: Path) -> None:
    work_through(Chore())
    settings = environment(tmp_path)
    server = serve_metrics(settings)
    assert server is not None
    try:
        status, body = get(settings)
        assert status == 200
        assert 'job_runs_total{kind="chore",outcome="done"}' in body
        assert get(settings, "/")[0] == 404
        with pytest.raises(ConfigurationInvalid, match="DISCERN_WORKER_METRICS_PORT"):
            serve_metrics(settings)
    finally:
        server.shutdown()
        server.server_close()


def test_with_a_token_set_only_who_has_it_is_shown_them(tmp_path: Path) -> None:
    settings = environment(tmp_path, token=SecretStr("a token for the test"))
    server = serve_metrics(settings)
    assert server is not None
    try:
        assert get(settings)[0] == 403
        assert get(settings, token="another")[0] == 403
        assert get(settings, token="a token for the test")[0] == 200
    finally:
        server.shutdown()
        server.server_close()


def test_a_worker_that_is_not_told_to_opens_no_port(tmp_path: Path) -> None:
    assert serve_metrics(Environment(home=tmp_path)) is None
