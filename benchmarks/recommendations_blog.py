"""The whole ``GET recommendations`` beside the blog's view on the same contents, by processor time.

``python -m benchmarks recommendations_blog [--sizes 10000 50000] [--quick]``. Discern runs as
``discern up`` starts it (web, model server and worker, with authentication, limits and metrics) and
pays for every process; the blog's view, mended so that it answers, runs in Django's own handler
with two middlewares and no server in front.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx
import numpy as np

from benchmarks.environments import PEERS
from benchmarks.machine import provenance, sentence
from benchmarks.peers.texts_recommender import made_up
from benchmarks.processes import descendants
from benchmarks.report import number, table, write
from discern.catalog.store import Store
from discern.recommendations.contract import Content
from discern.recommendations.fit import fit_model
from discern.recommendations.matrices import from_pairs
from discern.recommendations.recommender import Fitted, save_fitted
from discern.recommendations.settings import Settings
from tests.stack import Stack

BY_NAME_ONLY: Final = True
LIKES: Final = 50
NAME: Final = "benchmark"
GOAL: Final = 50.0
QUIET_CORES: Final = 0.15


def main() -> int:
    """Writes ``recommendations_blog.json`` and ``.md``; 1 when the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_blog")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--quick", action="store_true", help="300 contents: proves nothing")
    given = parser.parse_args()
    sizes = [300] if given.quick else given.sizes
    rows = []
    for size in sizes:
        row: dict[str, Any] = {"contents": size, "blog": blog(size, 3 if given.quick else 10)}
        row["discern"] = discern(size, 50 if given.quick else 1000)
        row["times_less"] = median(row["blog"]["cpu_ms"]) / row["discern"]["cpu_ms"]
        print(json.dumps({"contents": size, "times_less": row["times_less"]}), flush=True)
        rows.append(row)
    command = f"python -m benchmarks recommendations_blog --sizes {' '.join(map(str, sizes))}"
    result = {"provenance": provenance(command), "rows": rows}
    write("recommendations_blog", result, markdown(result), quick=given.quick)
    return 0 if given.quick or rows[0]["times_less"] >= GOAL else 1


def blog(size: int, count: int) -> dict[str, Any]:
    """Processor milliseconds of each request to the blog's view."""
    done = subprocess.run(
        [sys.executable, "blog_recommender.py", str(size), str(count)],
        cwd=PEERS, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return dict(json.loads(done.stdout.splitlines()[-1]))


def discern(size: int, count: int) -> dict[str, Any]:
    """Processor milliseconds a request over every process of a running Discern."""
    contents = catalogue(size)
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as folder:
        home = Path(folder) / "home"
        with Stack(home, demo=False) as stack:  # whose own fit would take over
            install(home, contents)
            key = stack.command("key", "create", NAME, "--service", "--name", NAME).split()[-1]
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=stack.address, headers=headers, timeout=120) as client:
                fill(client, contents)
                listed = settle(stack, client)
                idle = cpu_of(stack, lambda: time.sleep(3)) / 3
                began = time.perf_counter()
                spent = cpu_of(stack, lambda: [ask(client) for _ in range(count)])
                seconds = time.perf_counter() - began
    return {
        "cpu_ms": 1000 * spent / count,
        "wall_ms": 1000 * seconds / count,
        "idle_cores": idle,
        "requests": count,
        "listed": listed,
    }


def catalogue(size: int) -> list[Content]:
    """The same contents as the blog's, with ids."""
    return [
        Content(
            f"c{at}", row["title"], row["text"], row["category"], tuple(row["tags"])
        )
        for at, row in enumerate(made_up(size))
    ]  # fmt: skip


def install(home: Path, contents: list[Content]) -> None:
    """Fits on made-up likes (30 for each content) and lets the model answer."""
    rng = np.random.default_rng(6)
    count = 30 * len(contents)
    who = (rng.random(count) * len(contents) / 3).astype(int)
    what = (rng.random(count) ** 2 * len(contents)).astype(int)
    ids = [content.id for content in contents]
    ratings = from_pairs([str(each) for each in who], [ids[each] for each in what], contents=ids)
    model = fit_model(ratings.matrix, ids, settings=Settings(neighbours=100, content_weight=0.0))
    fitted = Fitted(model, None, tuple(contents), {})
    store = Store(home)
    with tempfile.TemporaryDirectory() as folder:
        store.install(save_fitted(fitted, Path(folder) / "new", name=NAME, version="1"))
    store.activate(NAME, "1")


def fill(client: httpx.Client, contents: list[Content]) -> None:
    """Imports the contents and one person's likes through the API."""
    for start in range(0, len(contents), 1000):
        part = contents[start : start + 1000]
        rows = [
            {"content_id": c.id, "title": c.title, "text": c.text, "category": c.category,
             "tags": list(c.tags)}
            for c in part
        ]  # fmt: skip
        client.post("/api/v1/contents", json={"contents": rows}).raise_for_status()
    liked = np.random.default_rng(3).choice(len(contents), LIKES, replace=False)
    likes = [{"user_id": "anna", "content_id": f"c{at}", "liked": True} for at in liked.tolist()]
    client.post("/api/v1/interactions", json={"interactions": likes}).raise_for_status()


def ask(client: httpx.Client) -> dict[str, Any]:
    """One list of ten."""
    answer = client.get("/api/v1/recommendations", params={"person": "anna", "n": 10})
    answer.raise_for_status()
    return dict(answer.json())


def settle(stack: Stack, client: httpx.Client) -> int:
    """Asks until the installed model answers and nothing else is at work; how long the list is."""
    limit = time.monotonic() + 240
    while time.monotonic() < limit:
        answer = ask(client)
        if answer["model"]["name"] == NAME:
            for _ in range(20):
                ask(client)
            if max(cpu_of(stack, lambda: time.sleep(2)) for _ in range(2)) < QUIET_CORES * 2:
                return len(answer["items"])
        time.sleep(0.5)
    raise RuntimeError(f"the model did not come to answer: {answer}")


def cpu_of(stack: Stack, work: Any) -> float:
    """Processor seconds of the stack's processes while ``work`` runs."""
    before = cpu_s(stack)
    work()
    return cpu_s(stack) - before


def cpu_s(stack: Stack) -> float:
    """What the stack's living processes have used."""
    used = 0
    for pid in {stack.pid, *descendants(stack.pid)}:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])
    return used / os.sysconf("SC_CLK_TCK")


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    rows = [
        [
            f"{row['contents']:,}",
            number(median(row["blog"]["cpu_ms"])),
            number(row["discern"]["cpu_ms"]),
            number(row["times_less"]),
            number(row["discern"]["wall_ms"]),
            number(row["blog"]["peak_mb"]),
        ]
        for row in result["rows"]
    ]
    head = [
        "contents", "blog's view, CPU ms", "Discern's GET, CPU ms", "times less",
        "Discern, wall ms", "blog, MB",
    ]  # fmt: skip
    return "\n\n".join(
        [
            "# A list of ten for somebody with 50 likes, the blog's view beside the whole request",
            table(head, rows),
            "Discern's figure is the processor time of all its processes (web, model server, "
            "worker, supervisor) over the requests, what they use when idle included.",
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
