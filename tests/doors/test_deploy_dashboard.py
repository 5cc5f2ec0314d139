"""Every panel of the dashboard shows something when a real Prometheus watches a real Discern."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.needed import lacking
from tests.services import Prometheus, free_port
from tests.stack import Stack

yaml = pytest.importorskip("yaml")
pytestmark = [pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
DASHBOARD = ROOT / "deploy/grafana/dashboards/discern.json"
CONFIGURATION = ROOT / "deploy/prometheus/prometheus.yaml"
# Two texts, a picture, a file of texts, a picture that fails, a fit, then all panels at once.
EXERCISE = [sys.executable, str(ROOT / "deploy/exercise.py")]
TOKEN = "a token for the tests of the dashboard"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What to tell the exercise about a whole Discern that Prometheus scrapes."""
    if reason := Prometheus.missing():
        lacking(reason)
    home = tmp_path_factory.mktemp("watched")
    ports = {"model-server": free_port(), "worker": free_port()}
    settings = {
        "DISCERN_MODEL_SERVER_PORT": str(ports["model-server"]),
        "DISCERN_MODEL_SERVER_TOKEN": TOKEN,
        "DISCERN_METRICS_TOKEN": TOKEN,
        "DISCERN_WORKER_METRICS_PORT": str(ports["worker"]),
    }
    # Without the demo's library, whose own fit would be under way.
    stack = Stack(home, settings=settings, demo=False)
    ports["web"] = stack.port
    model = str(ROOT / "tests/fakes/blob.onnx")
    (home / "labels.txt").write_text("light\n")
    stack.command("models", "add", model, "--name", "blob", "--labels", str(home / "labels.txt"))
    with stack, Prometheus(on_loopback(ports)) as prometheus:
        key = stack.command("key", "create", "check", "--service", "--name", "check").split()[-1]
        yield {
            "DISCERN_KEY": key,
            "DISCERN_SITE": stack.address,
            "DISCERN_PROMETHEUS": prometheus.url,
        }


def on_loopback(ports: dict[str, int]) -> str:
    """What the deployment tells Prometheus, with other addresses and every second."""
    told = yaml.safe_load(CONFIGURATION.read_text())
    told["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    for job in told["scrape_configs"]:
        if (port := ports.get(job["job_name"])) is None:
            continue
        job.pop("dns_sd_configs", None)
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
        job["authorization"] = {"credentials": TOKEN}
    return str(yaml.safe_dump(told))


def exercise(watched: dict[str, str], dashboard: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EXERCISE, str(dashboard)],
        env={**os.environ, **watched},
        capture_output=True,
        text=True,
        check=False,
    )


def series(watched: dict[str, str], query: str) -> list[dict[str, Any]]:
    with httpx.Client(base_url=watched["DISCERN_PROMETHEUS"]) as client:
        answer = client.get("/api/v1/query", params={"query": query}).json()
    return list(answer["data"]["result"])


def values(watched: dict[str, str], label: str, query: str) -> set[str]:
    """The label's values among the series of the query that are above 0."""
    return {one["metric"][label] for one in series(watched, query) if float(one["value"][1]) > 0}


def test_prometheus_has_data_for_every_panel_while_all_kinds_of_work_go_on(
    watched: dict[str, str],
) -> None:
    done = exercise(watched, DASHBOARD)
    assert done.returncode == 0, done.stderr + done.stdout
    queries = [
        target["expr"].replace("$__rate_interval", "30s")
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
    ]
    assert sum(f"answered: {query}\n" in done.stdout for query in queries) == len(queries)
    assert values(watched, "source", "recommendation_lists_total") >= {"model", "popular", "newest"}
    assert values(watched, "outcome", 'job_runs_total{kind="picture"}') >= {"done", "failed"}
    assert values(watched, "kind", "job_runs_total") >= {"picture", "text"}
    assert values(watched, "status", "http_requests_total") >= {"200", "202", "400"}
    assert values(watched, "job", "up") == {"web", "worker", "model-server"}


def test_a_panel_about_what_nobody_counts_is_named(watched: dict[str, str], tmp_path: Path) -> None:
    wrong = {"title": "Wishes", "targets": [{"expr": "sum(rate(wishes_total[30s]))"}]}
    dashboard = tmp_path / "dashboard.json"
    dashboard.write_text(json.dumps({"panels": [wrong]}))
    done = exercise({**watched, "DISCERN_PATIENCE_S": "1"}, dashboard)
    assert done.returncode == 1
    assert "Wishes: sum(rate(wishes_total[30s]))" in done.stderr
