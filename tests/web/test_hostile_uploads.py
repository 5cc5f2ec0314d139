"""Hostile files through the whole site: the web server, its storage, a worker and a model server.

Whatever comes in is answered with 202 or a reason, ends done or failed, kills no process and makes
none of them grow without bound.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from discern.engine.pictures import MAX_READERS
from discern.inference.machine import available_cpus
from tests.faults.hostile_files import HostileFile, hostile_files
from tests.services import free_port
from tests.web.live import LiveSite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc"),
]
COUNT = 500
LONGEST_CPU_S = 1.0
"""Of one request, by the web server: the time on the clock depends on who else is at work."""

GROWTH_BYTES = 400 * 2**20
"""A picture of the largest size allowed, 50 million pixels of three bytes, twice, and some room."""

READER_BYTES = 450 * 2**20
"""What a text reader keeps once it saw the largest picture (400 MB, see ``TextReader``), its share
of the opened pictures that are kept (12 MB each), and some room."""


@dataclass
class Watched:
    """The site and its processes; each one's memory when it was idle."""

    site: LiveSite
    pids: dict[str, int]
    idle: dict[str, int] = field(default_factory=dict)

    def peaks(self) -> dict[str, int]:
        """The most memory, in bytes, each program's processes ever held."""
        return {
            name: max(_status(pid, "VmHWM") for pid in _family(root))
            for name, root in self.pids.items()
        }


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    port = free_port()
    settings = {
        "DJANGO_SETTINGS_MODULE": "discern.web.settings",
        "DISCERN_MODEL_SERVER_PORT": str(port),
        "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{port}",
    }
    site = LiveSite(tmp_path_factory.mktemp("hostile"), settings=settings)
    model_server = site.start("discern.cli", "model-server")  # the site is ready when it is
    with site:
        worker = site.start("discern.web", "runworker", "--threads", "2")
        web = site._processes[1]
        programs = {"web": web, "model server": model_server, "worker": worker}
        watched = Watched(site, {name: process.pid for name, process in programs.items()})
        with site.client() as client:
            good = client.post("/api/v1/uploads", files={"files": ("good.png", _good())}).json()
            _wait_for_end(client, {good["uploads"][0]["id"]})
        watched.idle = watched.peaks()
        yield watched
        assert all(process.poll() is None for process in programs.values())


def test_500_hostile_files_crash_nothing_and_stay_within_memory(
    watched: Watched, record_property: Callable[[str, object], None]
) -> None:
    files = hostile_files(COUNT)
    statuses: Counter[int] = Counter()
    slowest, dearest = (0.0, ""), (0.0, "")
    accepted: dict[str, HostileFile] = {}
    web = _family(watched.pids["web"])
    with watched.site.client() as client:
        for file in files:
            began, cpu = time.monotonic(), _cpu_s(web)
            response = client.post("/api/v1/uploads", files={"files": (file.name, file.data)})
            title = f"{file.kind} {file.name[:20]}"
            slowest = max(slowest, (time.monotonic() - began, title))
            dearest = max(dearest, (_cpu_s(web) - cpu, title))
            statuses[response.status_code] += 1
            assert response.status_code < 500, f"{file.kind} {file.name[:50]}: {response.text}"
            if response.status_code == 202:
                accepted[response.json()["uploads"][0]["id"]] = file
            else:
                assert response.headers["Content-Type"] == "application/problem+json"
                assert response.json()["code"]
        ends = _wait_for_end(client, set(accepted))
    longest = max(ends.values(), key=lambda row: row["seconds"])
    peaks = watched.peaks()
    growth = {name: peaks[name] - watched.idle[name] for name in peaks}
    for name, value in {
        "answers": dict(statuses),
        "longest request, s": round(slowest[0], 2),
        "longest request": slowest[1],
        "most processor time of a request, s": round(dearest[0], 2),
        "dearest request": dearest[1],
        "longest picture, s": longest["seconds"],
        "longest picture": accepted[longest["id"]].name[:20],
        "ends": dict(Counter(row["state"] for row in ends.values())),
        "growth, MiB": {name: bytes_ >> 20 for name, bytes_ in growth.items()},
    }.items():
        record_property(name, str(value))
        print(f"{name}: {value}")
    assert dearest[0] < LONGEST_CPU_S, dearest
    assert set(ends) == set(accepted)
    states = {upload_id: row["state"] for upload_id, row in ends.items()}
    read = [file for upload_id, file in accepted.items() if states[upload_id] == "done"]
    assert not [file.name for file in read if file.must_fail]
    assert set(states.values()) <= {"done", "failed"}  # none killed its worker
    # The model server reads a picture on each processor, each in memory of its own.
    readers = min(available_cpus(), MAX_READERS)
    bounds = {"model server": max(GROWTH_BYTES, READER_BYTES * readers)}
    over = {n: grown for n, grown in growth.items() if grown > bounds.get(n, GROWTH_BYTES)}
    assert not over, growth


def test_what_was_kept_of_them_is_only_the_pictures(watched: Watched) -> None:
    with watched.site.client() as client:
        rows = _all(client)
        done = [row for row in rows if row["state"] == "done"]
        assert done
        for row in done[:40]:
            picture = client.get(row["links"]["picture"])
            assert picture.headers["Content-Type"] in {"image/jpeg", "image/png"}
            assert b"<script" not in picture.content
            assert b"<?php" not in picture.content
            assert "/" not in row["name"]
            assert "\0" not in row["name"]
    names = {path.name for path in (watched.site.home / "files").rglob("*") if path.is_file()}
    assert names <= {"picture", "thumbnail", "original"}


def _good() -> bytes:
    from tests.faults.hostile_files import picture

    return picture("PNG")


def _wait_for_end(client: httpx.Client, wanted: set[str]) -> dict[str, dict[str, Any]]:
    limit = time.monotonic() + 400
    while True:
        rows = {row["id"]: row for row in _all(client) if row["id"] in wanted}
        if all(row["state"] in {"done", "failed", "dead"} for row in rows.values()):
            for row in rows.values():
                row["seconds"] = _seconds(row)
            return rows
        assert time.monotonic() < limit, Counter(row["state"] for row in rows.values())
        time.sleep(1)


def _seconds(row: dict[str, Any]) -> float:
    from datetime import datetime

    took = datetime.fromisoformat(row["finished_at"]) - datetime.fromisoformat(row["started_at"])
    return round(took.total_seconds(), 2)


def _all(client: httpx.Client) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    address: str | None = "/api/v1/uploads?page_size=200"
    while address:
        page = client.get(address).json()
        rows += page["results"]
        address = page["next"]
    return rows


def _family(root: int) -> list[int]:
    """The process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def _cpu_s(pids: list[int]) -> float:
    """Processor time the processes have used."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
