"""compose.yaml as an engine reads it: what it refers to is there, and a first start can succeed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("django")

DEPLOY = Path(__file__).parents[2] / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
EXAMPLE = (DEPLOY / "example.env").read_text()
DOCS = (DEPLOY.parent / "docs/deploy.md").read_text()
ONE_SHOT = {"migrate"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)(?::?([-?])([^}]*))?\}")


def dependencies(service: dict[str, Any]) -> dict[str, str]:
    """Service -> the condition it is waited for on."""
    named = service.get("depends_on", {})
    if isinstance(named, list):
        return dict.fromkeys(named, "service_started")
    return {name: needed["condition"] for name, needed in named.items()}


def checks_in_the_containerfile() -> dict[str, list[str]]:
    """Image -> the command of its health check."""
    found = re.findall(
        r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", CONTAINERFILE, re.MULTILINE | re.DOTALL
    )
    return {
        name: yaml.safe_load(check[1])
        for name, steps in found
        if (check := re.search(r"^HEALTHCHECK .*\\\n\s+CMD (\[.*\])$", steps, re.MULTILINE))
    }


def test_every_image_of_ours_is_built_from_a_stage_that_there_is() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", CONTAINERFILE, re.MULTILINE))
    built = {
        service["image"]: service["build"]["target"]
        for service in SERVICES.values()
        if "build" in service
    }
    assert built
    for image, target in built.items():
        assert target in stages
        assert image == f"discern-{target}"
    for service in SERVICES.values():
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        if service["image"].startswith("discern-"):
            assert service["image"] in built
        else:
            assert re.fullmatch(r"[a-z/]+:v?\d[\w.-]*", service["image"]), "a version is pinned"


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ONE_SHOT))
def test_each_service_is_checked_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= check.keys()
    assert service["logging"]["options"]["max-size"]


def test_health_checks_are_the_images_own() -> None:
    """Written twice, because images in OCI's own form have no health check."""
    for name, command in checks_in_the_containerfile().items():
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", *command]
    assert checks_in_the_containerfile().keys() == {"web", "worker", "model-server"}


def test_what_a_service_waits_for_can_come_about() -> None:
    for name, service in SERVICES.items():
        for needed, condition in dependencies(service).items():
            assert condition in CONDITIONS, name
            other = SERVICES[needed]
            if condition == "service_healthy":
                assert "test" in other["healthcheck"], (name, needed)
            if condition == "service_completed_successfully":
                assert needed in ONE_SHOT
                assert other["restart"] != "unless-stopped"


def test_what_ends_depends_on_nothing_that_runs() -> None:
    """Podman refuses to start what depends on it then: it looks for the running one among those it
    is about to start."""
    for name in ONE_SHOT:
        assert dependencies(SERVICES[name]) == {}
    for service in SERVICES.values():
        if ONE_SHOT & dependencies(service).keys():
            assert dependencies(service)["database"] == "service_healthy"


def test_every_variable_is_in_the_example_and_no_secret_has_a_default() -> None:
    used = {name: (sign, default) for name, sign, default in VARIABLE.findall(TEXT)}
    offered = dict(re.findall(r"^(?:# )?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert used.keys() == offered.keys()
    for name, (sign, default) in used.items():
        if re.search("SECRET|TOKEN|PASSWORD", name):
            assert sign == "?", f"{name} must be demanded"
            assert offered[name] == "", f"{name} would be known to everyone"
        else:
            assert sign == "-"
            assert default == offered[name]


def test_the_secrets_that_are_made_for_you_are_taken(tmp_path: Path) -> None:
    from discern.model_server.settings import MIN_TOKEN_CHARS
    from discern.web.environment import MIN_SECRET_CHARS
    from discern.web.storage import databases

    for name in ("one", "two"):
        subprocess.run([DEPLOY / "make_env.sh", tmp_path / name], check=True)
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0
    made, other = (
        dict(re.findall(r"^([A-Z_]+)=(.*)$", (tmp_path / name).read_text(), re.MULTILINE))
        for name in ("one", "two")
    )
    secrets = {name for name in made if f"{name}=\n" in EXAMPLE}
    assert len(secrets) == 5
    assert len({made[name] for name in secrets} | {other[name] for name in secrets}) == 10
    assert len(made["DISCERN_SECRET_KEY"]) >= MIN_SECRET_CHARS
    assert len(made["DISCERN_MODEL_SERVER_TOKEN"]) >= MIN_TOKEN_CHARS
    address = SERVICES["web"]["environment"]["DISCERN_DATABASE_URL"]
    address = VARIABLE.sub(lambda found: made[found[1]], address)

    from discern.web.environment import Environment

    database = databases(Environment(database_url=address))["default"]
    assert (database["HOST"], database["PASSWORD"]) == ("database", made["POSTGRES_PASSWORD"])
    again = subprocess.run([DEPLOY / "make_env.sh", tmp_path / "one"], check=False)
    assert again.returncode == 1
    assert (tmp_path / "one").read_text().count(made["POSTGRES_PASSWORD"]) == 1


def test_the_site_can_be_told_of_a_proxy_that_speaks_https() -> None:
    """HTTPS alone redirects for ever: without a trusted proxy its header is not believed."""
    for name in ("web", "worker", "migrate"):
        assert {"DISCERN_HTTPS", "DISCERN_PROXIES"} <= SERVICES[name]["environment"].keys()


def test_every_declared_volume_is_used_and_every_network_declared() -> None:
    mounted = {
        mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])
    }
    assert {name for name in mounted if "/" not in name} == COMPOSE["volumes"].keys()
    networks = {name for service in SERVICES.values() for name in service.get("networks", [])}
    assert networks == COMPOSE.get("networks", {}).keys()


def test_addresses_name_services_that_there_are() -> None:
    addresses = re.findall(r"(?:redis|http|postgresql)://[^\s\"']+", VARIABLE.sub("x", TEXT))
    hosts = {urlsplit(address).hostname for address in addresses}
    assert {"database", "redis", "model-server"} <= hosts
    assert hosts <= SERVICES.keys() | {"localhost", "127.0.0.1"}


def test_prometheus_asks_every_container_of_a_service_that_can_be_many() -> None:
    jobs = {
        job["job_name"]: job
        for job in yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())[
            "scrape_configs"
        ]
    }
    for name in ("worker", "model-server"):
        assert "ports" not in SERVICES[name]
        assert jobs[name]["dns_sd_configs"][0]["names"] == [name]


def test_the_page_s_example_of_a_change_is_one_that_compose_takes() -> None:
    from discern.model_server.settings import PREFIX, ModelServerSettings
    from discern.web.environment import Environment

    known = {PREFIX + name.upper() for name in ModelServerSettings.model_fields}
    known |= {f"DISCERN_{name.upper()}" for name in Environment.model_fields}
    examples = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)]
    assert examples
    for example in examples:
        assert example["services"].keys() <= SERVICES.keys()
        for service in example["services"].values():
            assert service.get("environment", {}).keys() <= known
