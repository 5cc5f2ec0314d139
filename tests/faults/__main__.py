"""``make faults``: kills and starves everything while uploads come in, and counts what was lost.

With ``--write`` makes benchmarks/results/faults.{json,md}. Each row is one run of real programs:
the site, workers, a model server, and the broker and database named.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
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
WORKERS: Final = 3


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
                write(row, options)
    return 0 if all(is_good(row, options) for row in rows) else 1


def is_good(row: dict[str, Any], options: Options) -> bool:
    """Everything was accepted in the end, is done, once, and nothing else is left."""
    wrong = sum(row[name] for name in ("failed", "dead", "unfinished", "lost", "doubled", "wrong"))
    return not wrong and row["accepted"] == row["done"] == options.uploads and not row["strays"]


def run(carrier: str, database: str, options: Options) -> dict[str, Any]:
    """One run; what it found, with how often each fault happened."""
    with contextlib.ExitStack() as stack:
        broker = _service(stack, CARRIERS[carrier])
        cluster = _service(stack, DATABASES[database])
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="discern-faults-")))
        disk = stack.enter_context(small_disk(home / "files"))
        site = LiveSite(home, settings=_settings(broker, cluster))
        install_detector(site)
        model_server = stack.enter_context(kept(site, "discern.cli", "model-server"))
        stack.enter_context(site)
        workers = [
            stack.enter_context(kept(site, "discern.web", "runworker", "--threads", "2"))
            for _ in range(WORKERS)
        ]
        client = StubbornClient(site.address, site.key, wanted=options.uploads)
        storm = Storm(
            workers, model_server, broker, cluster, disk, options.seed, is_busy=client.is_busy
        )
        began = time.monotonic()
        uploading = threading.Thread(target=client.run)
        uploading.start()
        storm.run(kills=options.kills, let_in=client.let_in)
        uploading.join()
        findings = client.judge(limit_s=SETTLE_S)
        return {
            "carrier": carrier,
            "database": database,
            **asdict(findings),
            "strays": count_files(home / "files") - 2 * findings.done,
            "taken_back": taken_back(home),
            "faults": storm.counts,
            "seconds": round(time.monotonic() - began),
        }


def count_files(folder: Path) -> int:
    """Files there are; two for each picture that is done, the originals being gone."""
    return sum(1 for path in folder.rglob("*") if path.is_file())


def taken_back(home: Path) -> int:
    """How many pictures were taken back from workers that died with them, by the workers' logs."""
    log = (home / "discern.web-runworker.log").read_text(errors="replace")
    return sum(int(count) for count in re.findall(r"Swept:.*?(\d+) requeued", log))


def install_detector(site: LiveSite) -> None:
    """A real detector, which costs nearly nothing: what is tried here is the carrying."""
    model = str(ROOT / "tests" / "fakes" / "blob.onnx")
    labels = site.home / "labels.txt"
    labels.write_text("bright\n")
    command = ["models", "add", model, "--name", "blob", "--labels", str(labels)]
    subprocess.run(
        [sys.executable, "-m", "discern.cli", *command],
        env=site.environment,
        check=True,
        capture_output=True,
    )


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


def write(row: dict[str, Any], options: Options) -> None:
    """The table, as data and to read; runs of the same command are kept, so that it may be made
    in pieces."""
    command = f"python -m tests.faults --uploads {options.uploads} --kills {options.kills} --write"
    path = RESULTS / "faults.json"
    former = json.loads(path.read_text()) if path.exists() else {}
    rows = former["runs"] if former.get("command") == command else []
    key = (row["carrier"], row["database"])
    rows = [*(old for old in rows if (old["carrier"], old["database"]) != key), row]
    order = list(CARRIERS)
    rows.sort(key=lambda item: (order.index(item["carrier"]), item["database"] != "sqlite"))
    report = {
        "command": command,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "date": time.strftime("%F"),
        "runs": rows,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / "faults.md").write_text(_markdown(report) + "\n")


def _markdown(report: dict[str, Any]) -> str:
    shown = {
        "accepted": "accepted",
        "done": "done",
        "failed": "failed",
        "dead": "dead",
        "lost": "lost",
        "doubled": "doubled",
        "wrong": "another's result",
        "strays": "stray files",
        "taken_back": "taken back from the dead",
        "retried_after_dead": "set aside and retried",
    }
    lines = [
        "# Faults",
        "",
        f"`{report['command']}` (`make faults`), {report['machine']}, {report['date']}. Each row "
        f"is a run of its own: the site, {WORKERS} workers, a model server and the services named, "
        "all real; small pictures, a detector that costs nearly nothing, the shipped text reader "
        "and sentiment model. Uploads came in all through the faults.",
        "",
        f"| carrier | database | {' | '.join(shown.values())} | faults | seconds |",
        "|" + "---|" * (len(shown) + 4),
    ]
    for row in report["runs"]:
        faults = ", ".join(f"{count} {what}" for what, count in row["faults"].items())
        cells = " | ".join(str(row[name]) for name in shown)
        lines.append(
            f"| {row['carrier']} | {row['database']} | {cells} | {faults} | {row['seconds']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
