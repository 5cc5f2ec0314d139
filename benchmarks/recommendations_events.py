"""A like until the next list, and 100 events a second until their columns are solved again.

``python -m benchmarks recommendations_events [--quick]``: a long-tailed library made up for this,
a model fitted on it, and the thread of a model server that follows it. Events are appended to the
log at the stated rate; each one's wait ends when the weights of its content have been replaced.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import provenance, sentence
from benchmarks.report import number, table, write
from discern.engine.recommender import FOLLOW_EVERY_S, pause_after
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import Content, Interaction, RecommendationRequest
from discern.recommendations.following import Following
from discern.recommendations.fresh import FreshContents
from discern.recommendations.library import Library
from discern.recommendations.rank import Ranker
from discern.recommendations.recommender import Fitted, fit
from discern.recommendations.settings import Settings

BY_NAME_ONLY: Final = True
RATE: Final = 100
TOPICS: Final = 40
GOAL_S: Final = 1.0


def main() -> int:
    """Writes ``recommendations_events.json`` and ``.md``; 1 when a wait is over the goal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks recommendations_events")
    parser.add_argument("--quick", action="store_true", help="a small library: proves nothing")
    given = parser.parse_args()
    size, people, events, seconds = (
        (300, 500, 10_000, 3) if given.quick else (5_000, 10_000, 200_000, 20)
    )
    rng = np.random.default_rng(4)
    with tempfile.TemporaryDirectory(prefix="discern-bench-") as folder:
        library = Library(Path(folder))
        library.put_contents(Content(str(i), title=f"topic{i % TOPICS}") for i in range(size))
        began = time.perf_counter()
        library.put_interactions(
            Interaction(str(who), str(what), liked=True, at=float(at))
            for at, (who, what) in enumerate(drawn(rng, people, size, events))
        )
        log_seconds = time.perf_counter() - began
        last = library.events.last_number()
        fitted = fit(
            library.contents(), library.interactions(until=last), settings=Settings(neighbours=200),
            last_event=last,
        )  # fmt: skip
        result: dict[str, Any] = {
            "provenance": provenance("python -m benchmarks recommendations_events"),
            "contents": size,
            "people": people,
            "events": events,
            "neighbours": 200,
            "events_logged_per_s": round(events / log_seconds),
            **next_list(fitted, rng),
            **followed(fitted, library, drawn(rng, people, size, RATE * seconds), RATE),
        }
    write("recommendations_events", result, markdown(result), quick=given.quick)
    return 0 if given.quick or result["wait_p99_s"] <= GOAL_S else 1


def drawn(rng: np.random.Generator, people: int, size: int, count: int) -> list[tuple[int, int]]:
    """People like contents of a topic of their own, the popular more often."""
    who = (rng.random(count) ** 1.5 * people).astype(int)
    what = (rng.random(count) ** 2 * size).astype(int)
    own = rng.random(count) < 0.7
    what = np.where(own, np.minimum(what - what % TOPICS + who % TOPICS, size - 1), what)
    return list(zip(who.tolist(), what.tolist(), strict=True))


def next_list(fitted: Fitted, rng: np.random.Generator) -> dict[str, Any]:
    """How many of 200 people get another list right after one like, and its processor time."""
    ranker = Ranker(fitted.model, Catalogue(fitted.model.contents))
    changed, spent = 0, []
    for _ in range(200):
        liked = rng.integers(0, fitted.model.size, 10)
        history = tuple(Interaction("x", str(i), liked=True) for i in liked)
        before = ranker.recommend(RecommendationRequest(history[:-1]))
        began = time.thread_time()
        after = ranker.recommend(RecommendationRequest(history))
        spent.append(1000 * (time.thread_time() - began))
        changed += [line.content for line in before] != [line.content for line in after]
    return {"lists_changed_by_one_like": changed / 200, "list_cpu_ms": float(np.median(spent))}


def followed(
    fitted: Fitted, library: Library, events: list[tuple[int, int]], rate: int
) -> dict[str, Any]:
    """Seconds from appending an event until the column of its content was solved again."""
    catalogue = Catalogue(fitted.model.contents)
    ranker = Ranker(fitted.model, catalogue, fresh=FreshContents.none())
    following = Following(ranker, fitted, library)
    following.step()
    solved: dict[int, list[float]] = {}
    replace = ranker.rows.replace  # type: ignore[attr-defined]

    def noted(column: int, *rest: Any) -> None:
        replace(column, *rest)
        solved.setdefault(column, []).append(time.perf_counter())

    ranker.rows.replace = noted  # type: ignore[attr-defined]
    stop = threading.Event()
    cpu: list[float] = []

    def follow() -> None:
        while not stop.is_set():
            began = time.perf_counter()
            following.step()
            stop.wait(pause_after(time.perf_counter() - began, following.waiting))
        cpu.append(time.thread_time())

    thread = threading.Thread(target=follow)
    thread.start()
    sent, elapsed = _send(library, events, rate)
    deadline = time.perf_counter() + 60
    while following.waiting and time.perf_counter() < deadline:
        time.sleep(0.05)
    time.sleep(2 * FOLLOW_EVERY_S)
    stop.set()
    thread.join()
    waits = _waits(sent, solved)
    p50, p99 = np.percentile(waits, [50, 99]) if len(waits) else (np.nan, np.nan)
    return {
        "events_per_s": len(sent) / elapsed,
        "events_followed": len(waits),
        "events_sent": len(sent),
        "columns_solved": sum(map(len, solved.values())),
        "wait_p50_s": float(p50),
        "wait_p99_s": float(p99),
        "wait_max_s": float(np.max(waits)) if len(waits) else None,
        "follower_cpu_share": cpu[0] / elapsed,
    }


def _send(
    library: Library, events: list[tuple[int, int]], rate: int
) -> tuple[list[tuple[int, float]], float]:
    """Appends ten at a time, evenly; returns the contents met anew with their times."""
    began, sent = time.perf_counter(), []
    for start in range(0, len(events), 10):
        pause = began + start / rate - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        part = events[start : start + 10]
        # A name nobody had before: every event changes something.
        library.put_interactions(
            Interaction(f"{who}-{start % 500}", str(what), liked=True, at=1e7 + start)
            for who, what in part
        )
        now = time.perf_counter()
        sent += [(what, now) for _, what in part]
    return sent, time.perf_counter() - began


def _waits(sent: list[tuple[int, float]], solved: dict[int, list[float]]) -> NDArray[np.float64]:
    waits = []
    for column, at in sent:
        after = [when for when in solved.get(column, []) if when >= at]
        if after:
            waits.append(min(after) - at)
    return np.asarray(waits)


def markdown(result: dict[str, Any]) -> str:
    """The result as a page."""
    rows = [
        ["events a second", number(result["events_per_s"])],
        ["an event until its column is solved again: p50, s", number(result["wait_p50_s"])],
        ["p99, s", number(result["wait_p99_s"])],
        ["longest, s", number(result["wait_max_s"])],
        ["columns solved again", f"{result['columns_solved']:,}"],
        ["the follower's share of one core", f"{result['follower_cpu_share']:.0%}"],
        ["lists that one like changes at once", f"{result['lists_changed_by_one_like']:.0%}"],
        ["CPU of that list, ms", number(result["list_cpu_ms"])],
        ["events logged a second, in bulk", f"{result['events_logged_per_s']:,}"],
    ]
    return "\n\n".join(
        [
            "# Events, followed",
            f"{result['contents']:,} contents, {result['people']:,} people, "
            f"{result['events']:,} events before, {result['neighbours']} weights a content.",
            table(["", ""], rows),
            sentence(result["provenance"]),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
