"""Recommendations over real processes: web, worker, two model servers, and fits that are killed."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from discern.catalog.store import Store
from tests.doors.servers import RunningServer, model_server
from tests.web.live import LiveSite, free_port

pytest.importorskip("scipy")
pytest.importorskip("sklearn")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PATIENCE_S = 120.0
CONTENT = "the-age-of-sunlight"
FRIENDS = ("eels", "casting-a-bell", "whetstones")


def until(condition: Callable[[], Any]) -> Any:
    limit = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < limit, "never happened"
        time.sleep(0.1)
    return found


@dataclass
class World:
    """A site with two web processes and the demo library learned; model servers come and go."""

    site: LiveSite
    main: RunningServer
    stack: ExitStack = field(default_factory=ExitStack)

    def server(self, *, port: int = 0) -> RunningServer:
        return self.stack.enter_context(
            model_server(self.site.home, ready=False, models="", port=port, token="t" * 40)
        )

    def manage(self, *arguments: str) -> str:
        return self.site._run("-m", "discern.web", *arguments)

    def fit(self) -> subprocess.Popen[str]:
        """A fit with two minutes of search before it, as a worker starts one."""
        command = [sys.executable, "-m", "discern.web", "fit_recommendations", "--supervised"]
        return subprocess.Popen(
            [*command, "--tune-seconds", "120"],
            env=self.site.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def list_of(self, person: str) -> httpx.Response:
        with self.site.client() as client:
            return client.get(f"/api/v1/recommendations?person={person}&n=5&exploration=0")

    def like(self, contents: tuple[str, ...], *people: str) -> None:
        events = [
            {"person": person, "content_id": content, "liked": True}
            for person in people
            for content in contents
        ]
        with self.site.client() as client:
            taken = client.post("/api/v1/interactions", json={"interactions": events}).json()
        assert taken["added"] == len(events), taken


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    port = free_port()
    settings = {
        "DISCERN_TEST_ENGINE": "discern.web.engine.remote_engine",
        "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{port}",
        "DISCERN_MODEL_SERVER_TOKEN": "t" * 40,
        "DISCERN_WEB_PROCESSES": "2",
    }
    home = tmp_path_factory.mktemp("learning-site")
    with ExitStack() as stack:
        first = stack.enter_context(
            model_server(home, ready=False, models="", port=port, token="t" * 40)
        )
        assert first.url.endswith(str(port))
        site = stack.enter_context(LiveSite(home, settings=settings))
        world = World(site, first, stack)
        world.manage("make_demo_library", "--tune-seconds", "0")
        until(lambda: world.list_of("reader-001").json().get("source") == "model")
        yield world


def beside(server: RunningServer) -> list[tuple[str, float]]:
    """What that server lists beside the content, with scores."""
    with server.client() as client:
        answer = client.post("/v1/similar", json={"content": CONTENT, "n": 8})
    if answer.status_code != 200:
        return []
    return [(item["content"], round(item["score"], 5)) for item in answer.json()["items"]]


def test_model_servers_that_follow_one_log_come_to_the_same_lists_also_after_a_kill(
    world: World,
) -> None:
    one, other = world.server(), world.server()
    before = until(lambda: beside(one))
    assert until(lambda: beside(other)) == before

    def agreed() -> list[tuple[str, float]]:
        found = beside(one)
        return found if found == beside(other) and found[0][0] in FRIENDS else []

    world.like((CONTENT, *FRIENDS), *(f"friend-{i}" for i in range(60)))
    learned = until(agreed)
    assert learned != before

    other.process.send_signal(signal.SIGKILL)
    other.process.wait()
    world.like((CONTENT, FRIENDS[0]), *(f"late-{i}" for i in range(60)))
    again = world.server()

    def agreed_again() -> bool:
        found = beside(one)
        return found == beside(again) and found != learned and found[0][0] == FRIENDS[0]

    until(agreed_again)
    one.stop()
    again.stop()


def version(world: World) -> str:
    answer = world.list_of("reader-001").json()
    assert answer["source"] == "model", answer
    return str(answer["model"]["version"])


def test_a_fit_that_is_killed_leaves_the_present_model_answering(world: World) -> None:
    before = version(world)
    fit = world.fit()
    assert fit.stdout is not None
    assert "stage" in json.loads(fit.stdout.readline())
    fit.kill()
    fit.communicate()
    assert Store(world.site.home).active("recommendation").manifest.version == before
    assert version(world) == before


def test_a_fit_ends_with_the_worker_that_started_it(world: World) -> None:
    fit = world.fit()
    assert fit.stdout is not None
    assert fit.stdin is not None
    fit.stdout.readline()
    fit.stdin.close()
    fit.stdin = None
    assert fit.wait(PATIENCE_S) == 1
    fit.communicate()


def test_a_worker_fits_what_was_asked_for_and_servers_take_it_up(world: World) -> None:
    before = version(world)
    worker = world.site.start("discern.web", "runworker")
    with world.site.client() as client:
        made = client.post("/api/v1/recommendations/fits", json={"tune_seconds": 0}).json()
        address = f"/api/v1/recommendations/fits/{made['id']}"
        job = until(lambda: (j := client.get(address).json())["state"] in ("done", "failed") and j)
        shown = client.get("/api/v1/recommendations/metrics").json()["model"]
    assert (job["state"], job["error_message"]) == ("done", "")
    assert job["report"]["fit_seconds"] > 0
    assert job["report"]["peak_memory_mb"] > 1
    assert 0 < job["report"]["coverage@10"] <= 1
    assert job["progress_done"] == job["progress_total"] == 2 * job["report"]["contents"]
    assert shown["version"] == job["version"] != before
    assert shown["report"].keys() == job["report"].keys()
    until(lambda: version(world) == job["version"])
    world.site.end(worker)


def test_a_model_that_cannot_be_loaded_leaves_the_former_answering(world: World) -> None:
    before = version(world)
    store = Store(world.site.home)
    good = store.active("recommendation")
    bad = good.folder.parent / "9"
    shutil.copytree(good.folder, bad)
    weights, manifest = bad / "model.npz", bad / "manifest.toml"
    text = manifest.read_text().replace(f'"{good.manifest.version}"', '"9"', 1)
    whole = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(b"\x00" * weights.stat().st_size)
    # Its digest is right, so it can be activated: that it is no model shows when it is loaded.
    manifest.write_text(text.replace(whole, hashlib.sha256(weights.read_bytes()).hexdigest()))
    store.activate(good.manifest.name, "9")
    assert store.active("recommendation").manifest.version == "9"
    for _ in range(30):
        assert version(world) == before
        time.sleep(0.1)
    store.rollback("recommendation")


def test_lists_made_ahead_answer_while_the_model_server_is_really_away(world: World) -> None:
    assert "lists" in world.manage("precompute_recommendations")
    ahead = world.list_of("reader-001").json()
    world.main.stop()
    answer = until(
        lambda: (a := world.list_of("reader-001")).json().get("source") == "precomputed" and a
    )
    assert answer.status_code == 200
    listed = [item["content_id"] for item in answer.json()["items"]]
    assert listed == [item["content_id"] for item in ahead["items"]]
    assert all(item["reason"]["text"] for item in answer.json()["items"])
    assert world.list_of("somebody-without-a-list").json()["source"] == "newest"
    world.like(tuple(listed[:1]), "reader-001")
    after = [item["content_id"] for item in world.list_of("reader-001").json()["items"]]
    assert listed[0] not in after
    assert after[:3] == listed[1:4]
