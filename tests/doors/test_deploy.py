"""The deployment files name only what exists: settings, images, metrics, secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from discern.setting_names import SETTING_NAMES

yaml = pytest.importorskip("yaml")
pytest.importorskip("starlette")
pytest.importorskip("django")

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
OURS = ("web", "worker", "model-server")


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return dict(service.get("environment", {}))


def test_every_setting_in_compose_is_one_that_a_program_reads() -> None:
    used = {
        name
        for service in COMPOSE["services"].values()
        for name in environment_of(service)
        if name.startswith("DISCERN_")
    }
    used |= set(re.findall(r"\b(DISCERN_[A-Z_]+)=", CONTAINERFILE))
    assert used
    assert used <= SETTING_NAMES


def test_every_secret_that_compose_demands_is_in_the_example() -> None:
    demanded = set(re.findall(r"\$\{([A-Z_]+):\?", (DEPLOY / "compose.yaml").read_text()))
    example = set(re.findall(r"^([A-Z_]+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    assert demanded
    assert demanded <= example


@pytest.mark.parametrize("name", OURS)
def test_each_image_is_built_checked_and_confined(name: str) -> None:
    stage = re.search(
        rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", CONTAINERFILE, re.MULTILINE | re.DOTALL
    )
    assert stage is not None
    assert "HEALTHCHECK" in stage[1]
    assert "USER" not in stage[1]  # the base's, which is not root
    assert "USER 10001:10001" in CONTAINERFILE
    service = COMPOSE["services"][name]
    assert service["build"]["target"] == name
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_nothing_listens_beyond_loopback_by_itself() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_volumes_and_mounted_files_are_there() -> None:
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (DEPLOY / source).exists() if "/" in source else source in COMPOSE["volumes"]


def mounts_of(name: str) -> dict[str, str]:
    """Folder in the container -> volume."""
    mounts = (mount.split(":") for mount in COMPOSE["services"][name]["volumes"])
    return {folder: volume for volume, folder, *_ in mounts}


def test_one_home_is_everybodys_and_the_model_server_sees_no_uploaded_file() -> None:
    homes = {mounts_of(name)["/var/lib/discern"] for name in OURS}
    assert len(homes) == 1
    assert {*mounts_of("web").items()} == {*mounts_of("worker").items()}
    assert mounts_of("web")["/var/lib/discern/files"] not in mounts_of("model-server").values()


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("web", {"web", "s3", "heic"}),
        ("worker", {"web", "s3", "heic", "recommendations"}),
        ("model-server", {"server", "heic"}),
    ],
)
def test_each_image_has_what_its_work_needs(image: str, wanted: set[str]) -> None:
    found = re.findall(
        r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", CONTAINERFILE, re.MULTILINE | re.DOTALL
    )
    stages = {name: (base, steps) for base, name, steps in found}
    copied = re.search(r"COPY --from=(\S+-packages)", stages[image][1])
    assert copied is not None
    name, extras = copied[1], set[str]()
    while name in stages:
        name, steps = stages[name]
        for listed in re.findall(r'"\.\[([a-z0-9,]+)\]"', steps):
            extras.update(listed.split(","))
    assert extras == wanted


def test_the_database_has_a_connection_for_every_thread_of_the_site_and_eight_workers() -> None:
    from discern.web.environment import Environment

    [most] = re.findall(
        r"max_connections=(\d+)", " ".join(COMPOSE["services"]["database"]["command"])
    )
    fields = Environment.model_fields
    site = fields["web_processes"].default * fields["web_threads"].default
    # Celery's processes, its sweeper, a fit's process and a health check.
    worker = fields["worker_threads"].default + 3
    kept_for_superusers, commands = 3, 5
    assert int(most) >= site + 8 * worker + kept_for_superusers + commands


def test_the_dashboard_asks_only_for_metrics_that_the_programs_have() -> None:
    rooms = (
        "model_server/metrics",
        "web/engine",
        "web/jobs/numbers",
        "web/monitoring/collect",
        "web/monitoring/middleware",
        "web/recommendations/numbers",
    )
    text = "".join((DEPLOY.parent / f"src/discern/{room}.py").read_text() for room in rooms)
    panels = json.loads((DEPLOY / "grafana/dashboards/discern.json").read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(asked) > 10
    names = {
        re.sub(r"_(bucket|sum|count|total)$", "", name)
        for expression in asked
        for name in re.findall(r"\b([a-z_]{4,})(?=\[|\{|\))", expression)
        if name not in ("model_name", "model_version", "endpoint", "outcome", "status", "kind",
                        "source", "state")
    }  # fmt: skip
    assert {"http_requests", "discern_queue_wait_seconds", "jobs"} <= names
    for name in names - {"rate_interval", "vector"}:
        assert f'"{name}"' in text or f'"{name}_total"' in text, name


def test_the_data_source_of_the_dashboard_is_provisioned() -> None:
    source = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"][0]
    dashboard = json.loads((DEPLOY / "grafana/dashboards/discern.json").read_text())
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
