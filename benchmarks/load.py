"""A load generator in a process of its own: raw asyncio protocols on uvloop, requests encoded once.

``python -m benchmarks.load`` reads one JSON object a line from standard input and answers each
phase with one line. The first line holds the arguments of :class:`Generator`, each further one a
phase. ``{"mode": "closed", "clients": 8, "seconds": 2, "kind": "short"}`` keeps that many clients
asking one question after the other; a refused one waits as long as ``Retry-After`` says before it
asks again. ``{"mode": "open", "rate": 5000, ...}`` sends at that rate whatever comes back, over at
most ``clients`` connections; ``{"mode": "probe", ...}`` asks one question at a time, with a pause,
and returns every answer with its instant.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle
from time import perf_counter, process_time
from typing import Any, Final

from benchmarks.load_client import REFUSED, Client, Outcome

ANSWER_TIMEOUT_S: Final = 60.0
PROBE_PAUSE_S: Final = 0.02
TICK_S: Final = 0.001


class Generator:
    """Runs phases against one target.

    Args:
        host, port: where the server listens.
        path: of the POST requests.
        headers: of every request, besides Host, Content-Type and Content-Length.
        bodies: for each kind of text, the request bodies to cycle through.
    """

    def __init__(
        self,
        host: str,
        port: int,
        path: str,
        headers: Mapping[str, str],
        bodies: Mapping[str, Sequence[str]],
    ) -> None:
        self._address = (host, port)
        fixed = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Content-Type: application/json\r\n{fixed}Content-Length: "
        )
        self._requests = {
            kind: cycle([_encode(start, body) for body in items]) for kind, items in bodies.items()
        }

    async def run(self, phase: Mapping[str, Any]) -> dict[str, Any]:
        """One phase; returns what :func:`summary` makes of it."""
        modes = {"closed": self._closed, "open": self._open, "probe": self._probe}
        gc.collect()
        gc.freeze()
        gc.disable()
        outcome, began, cpu = Outcome(), perf_counter(), process_time()
        try:
            sent = await modes[phase["mode"]](phase, outcome)
        finally:
            gc.enable()
        elapsed = perf_counter() - began
        return summary(outcome, elapsed, sent, process_time() - cpu)

    async def _closed(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        requests, end = self._requests[phase["kind"]], perf_counter() + phase["seconds"]
        sent: int = phase["clients"]
        left = sent
        loop = asyncio.get_running_loop()
        everyone = loop.create_future()

        def leave() -> None:
            nonlocal left
            left -= 1
            if left == 0 and not everyone.done():
                everyone.set_result(None)

        def finished(client: Client) -> None:
            nonlocal sent
            now = perf_counter()
            wait_s, client.told_s = client.told_s, 0.0
            if now >= end:
                leave()
            elif now + wait_s >= end:  # stays to the end: the rate is of the whole phase
                loop.call_later(end - now, leave)
            elif wait_s:
                loop.call_later(wait_s, finished, client)
            else:
                sent += 1
                client.ask(next(requests), now)

        clients = [Client(self._address, outcome, finished) for _ in range(phase["clients"])]
        for client in clients:
            client.ask(next(requests), perf_counter())
        await asyncio.wait([everyone], timeout=phase["seconds"] + ANSWER_TIMEOUT_S)
        _give_up(clients, outcome)
        return sent

    async def _open(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        requests, rate, seconds = self._requests[phase["kind"]], phase["rate"], phase["seconds"]
        clients: list[Client] = []
        idle: list[Client] = []
        began, due = perf_counter(), 0
        while (now := perf_counter() - began) < seconds:
            while due < now * rate:
                arrival = began + due / rate
                due += 1
                if not idle and len(clients) >= phase["clients"]:
                    outcome.failures["no connection free"] += 1
                    continue
                if not idle:
                    idle.append(Client(self._address, outcome, idle.append))
                    clients.append(idle[-1])
                idle.pop().ask(next(requests), arrival)
            await asyncio.sleep(TICK_S)
        outcome.stopped_at = perf_counter()
        while len(idle) < len(clients) and perf_counter() < outcome.stopped_at + ANSWER_TIMEOUT_S:
            await asyncio.sleep(TICK_S)
        _give_up(clients, outcome)
        return due

    async def _probe(self, phase: Mapping[str, Any], outcome: Outcome) -> int:
        requests, end, sent = self._requests[phase["kind"]], perf_counter() + phase["seconds"], 0
        answered = asyncio.Event()
        client = Client(self._address, outcome, lambda _: answered.set())
        outcome.keep_instants = True
        while perf_counter() < end:
            answered.clear()
            sent += 1
            client.ask(next(requests), perf_counter())
            try:
                await asyncio.wait_for(answered.wait(), ANSWER_TIMEOUT_S)
            except TimeoutError:
                break
            await asyncio.sleep(phase.get("pause", PROBE_PAUSE_S))
        _give_up([client], outcome)
        return sent


def _give_up(clients: Sequence[Client], outcome: Outcome) -> None:
    for client in clients:
        outcome.failures["TimeoutError"] += client.asking
        client.close()


def _encode(start: str, body: str) -> bytes:
    data = body.encode()
    return f"{start}{len(data)}\r\n\r\n".encode() + data


def summary(outcome: Outcome, elapsed: float, sent: int, cpu_s: float) -> dict[str, Any]:
    """Figures of one phase: rates in requests/s, latencies in milliseconds."""
    latencies = sorted(outcome.latencies)
    refused = sum(outcome.statuses[status] for status in REFUSED)
    answered = len(latencies)
    return {
        "seconds": round(elapsed, 3),
        "sent": sent,
        "ok": answered,
        "refused": refused,
        "refused_with_retry_after": outcome.refused_with_retry_after,
        "other_statuses": {
            str(status): count
            for status, count in outcome.statuses.items()
            if status != 200 and status not in REFUSED
        },
        "failures": {name: count for name, count in outcome.failures.items() if count},
        "requests_per_s": round(answered / elapsed, 2),
        "p50_ms": _percentile(latencies, 0.50),
        "p99_ms": _percentile(latencies, 0.99),
        "refused_p99_ms": _percentile(sorted(outcome.refusals), 0.99),
        "stopped_at": outcome.stopped_at,
        "generator_cpu_s": round(cpu_s, 3),
        "last_body": outcome.last_body[:2000].decode("utf-8", "replace"),
        "instants": outcome.instants,
    }


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """Nearest rank, so that it is a latency somebody really had; None without any."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 3)


async def serve_lines() -> None:
    """Target first, then phases, until standard input ends."""
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(None, sys.stdin.readline)
    if not first:
        return
    generator = Generator(**json.loads(first))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await generator.run(json.loads(line))), flush=True)


if __name__ == "__main__":
    import uvloop

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(serve_lines())
