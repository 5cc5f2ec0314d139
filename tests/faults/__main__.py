"""``make faults``: kills and starves everything while uploads come in, and counts what was lost.

Writes benchmarks/results/faults.{json,md}. Each row is one run of real programs: the site, two
workers, a model server, and the broker and database named.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults.client import StubbornClient
from tests.faults.storm import Kept, Storm
from tests.services import PostgreSQL, RabbitMQ, Redis, free_port
from tests.web.live import LiveSite

ROOT: Final = Path(__file__).parents[2]
RESULTS: Final = ROOT / "benchmarks" / "results"
CARRIERS: Final[dict[str, type[Redis] | type[RabbitMQ] | None]] = {
    "embedded": None,
    "redis": Redis,
    "rabbitmq": RabbitMQ,
}
DATABASES: Final[dict[str, type[PostgreSQL] | None]] = {"sqlite": None, "postgresql": PostgreSQL}
DISK_BYTES: Final = 96 * 2**20
SETTLE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Options:
    uploads: int
    kills: int
    seed: int


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--uploads", type=int, default=1000, help="uploads a run")
    parser.add_argument("--kills", type=int, default=100, help="workers killed a run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--carrier", choices=CARRIERS, action="append")
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--write", action="store_true", help="write benchmarks/results/faults.*")
    given = parser.parse_args()
    options = Options(given.uploads, given.kills, given.seed)
    rows = []
    for carrier in given.carrier or CARRIERS:
        for database in given.database or DATABASES:
            row = run(carrier, database, options)
            rows.append(row)
            print(json.dumps(row), flush=True)
            if given.write:
                write(rows, options)
    bad = sum(row["lost"] + row["doubled"] + row["wrong"] + row["unfinished"] for row in rows)
    return 1 if bad or any(row["accepted"] != options.uploads for row in rows) else 0


def run(carrier: str, database: str, options: Options) -> dict[str, Any]:
    """One run; what it found, with how often each fault happened."""
    with contextlib.ExitStack() as stack:
        broker = _service(stack, CARRIERS[carrier])
        cluster = _service(stack, DATABASES[database])
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="discern-faults-")))
        disk = stack.enter_context(small_disk(home / "files"))
        site = LiveSite(home, settings=_settings(broker, cluster))
        model_server = stack.enter_context(kept(site, "discern.cli", "model-server"))
        stack.enter_context(site)
        workers = [
            stack.enter_context(kept(site, "discern.web", "runworker", "--threads", "2"))
            for _ in range(2)
        ]
        storm = Storm(workers, model_server, broker, cluster, disk, options.seed)
        client = StubbornClient(site.address, site.key, wanted=options.uploads)
        began = time.monotonic()
        uploading = threading.Thread(target=client.run)
        uploading.start()
        storm.run(
            kills=options.kills, accepted=lambda: len(client.accepted), wanted=options.uploads
        )
        uploading.join()
        findings = client.judge(limit_s=SETTLE_S)
        return {
            "carrier": carrier,
            "database": database,
            **asdict(findings),
            "files": count_files(home / "files"),
            "faults": storm.counts,
            "seconds": round(time.monotonic() - began),
        }


def count_files(folder: Path) -> int:
    """Files there are; two for each picture that is done, the originals being gone."""
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _service(
    stack: contextlib.ExitStack, kind: type[Redis] | type[RabbitMQ] | type[PostgreSQL] | None
) -> Redis | RabbitMQ | PostgreSQL | None:
    return None if kind is None else stack.enter_context(kind())


def _settings(
    broker: Redis | RabbitMQ | PostgreSQL | None, database: Redis | RabbitMQ | PostgreSQL | None
) -> dict[str, str]:
    port = free_port()
    settings = {
        "DJANGO_SETTINGS_MODULE": "discern.web.settings",
        "DISCERN_MODEL_SERVER_PORT": str(port),
        "DISCERN_MODEL_SERVER_URL": f"http://127.0.0.1:{port}",
        "DISCERN_MODEL_SERVER_TOKEN": "only-for-this-run-" * 2,
        "DISCERN_SECRET_KEY": "only-for-this-run-" * 4,
    }
    if broker is not None:
        settings["DISCERN_BROKER_URL"] = broker.url
    if database is not None:
        settings["DISCERN_DATABASE_URL"] = database.url
    return settings


@contextlib.contextmanager
def kept(site: LiveSite, module: str, *arguments: str) -> Iterator[Kept]:
    """A program of the site that is started again whenever it ends."""
    running: dict[int, subprocess.Popen[bytes]] = {}

    def start() -> int:
        with (site.home / f"{'-'.join((module, *arguments[:1]))}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=site.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running[process.pid] = process
        return process.pid

    program = Kept(start, lambda pid: running[pid].poll() is not None)
    try:
        yield program
    finally:
        program.stop()
        for process in running.values():
            process.wait(30)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A disk of its own for the files, small enough to be filled; None where that needs rights
    this process lacks."""
    folder.mkdir(parents=True)
    if os.geteuid() != 0:
        yield None
        return
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def write(rows: list[dict[str, Any]], options: Options) -> None:
    """The table, as data and to read."""
    command = f"python -m tests.faults --uploads {options.uploads} --kills {options.kills}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    report = {
        "command": command,
        "machine": machine,
        "date": time.strftime("%F"),
        "load": os.getloadavg(),
        "runs": rows,
    }
    (RESULTS / "faults.json").write_text(json.dumps(report, indent=1) + "\n")
    names = ("accepted", "done", "failed", "dead", "lost", "doubled", "wrong")
    lines = [
        "# Faults",
        "",
        f"`{command}`, {machine}, {report['date']}. Each row is a run of its own: uploads while "
        "everything named was killed; `dead` after one retry by hand of those set aside.",
        "",
        "| carrier | database | " + " | ".join(names) + " | faults | seconds |",
        "|" + "---|" * (len(names) + 4),
    ]
    for row in rows:
        faults = ", ".join(f"{count} {what}" for what, count in row["faults"].items())
        cells = " | ".join(str(row[name]) for name in names)
        lines.append(
            f"| {row['carrier']} | {row['database']} | {cells} | {faults} | {row['seconds']} |"
        )
    (RESULTS / "faults.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
