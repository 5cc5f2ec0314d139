"""What the model server counts and times, right with several processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    multiprocess,
)

from discern.inference.contract import BatchRecord
from discern.model_server.totals import Totals

REGISTRY: Final = CollectorRegistry()
"""Its own: the site has series of the same names, and a process may hold both."""

for _collector in (ProcessCollector, PlatformCollector, GCCollector):
    _collector(registry=REGISTRY)

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST.encode()
OUTCOMES: Final = ("ok", "rejected", "expired", "cancelled", "failed")
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_MODEL: Final = ("model_name", "model_version")

PREDICTION: Final = Histogram(
    "model_prediction_seconds",
    "Time from reading a request to its answer: tokenizing, waiting and running.",
    _MODEL,
    buckets=_SECONDS,
    registry=REGISTRY,
)
REQUESTS: Final = Counter(
    "discern_model_requests",
    "Requests by how they ended.",
    ("endpoint", "outcome"),
    registry=REGISTRY,
)
QUEUE_WAIT: Final = Histogram(
    "discern_queue_wait_seconds",
    "Time the longest waiting item of each batch had been queued.",
    _MODEL,
    buckets=_SECONDS,
    registry=REGISTRY,
)
BATCH_SIZE: Final = Histogram(
    "discern_batch_items",
    "Items in each batch.",
    _MODEL,
    buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    registry=REGISTRY,
)
BATCH_SECONDS: Final = Histogram(
    "discern_batch_seconds",
    "Time the runtime took for each batch.",
    _MODEL,
    buckets=_SECONDS,
    registry=REGISTRY,
)
TOKENIZE: Final = Histogram(
    "discern_tokenize_seconds",
    "Time from reading a request until its first text was queued, nearly all of it tokenizing.",
    _MODEL,
    buckets=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25),
    registry=REGISTRY,
)
IN_FLIGHT: Final = Gauge(
    "discern_requests_in_flight",
    "Requests being answered now.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
LOAD_SECONDS: Final = Gauge(
    "discern_model_load_seconds",
    "Time the model took to load and pass its canary.",
    _MODEL,
    multiprocess_mode="livemax",
    registry=REGISTRY,
)


class ModelMetrics:
    """The children of one model, looked up once: a lookup costs more than an observation."""

    __slots__ = ("_prediction", "batch_seconds", "batch_size", "queue_wait", "tokenize", "totals")

    def __init__(self, name: str, version: str) -> None:
        self.totals = Totals(name, version)
        self._prediction = PREDICTION.labels(name, version)
        self.tokenize = TOKENIZE.labels(name, version)
        self.queue_wait = QUEUE_WAIT.labels(name, version)
        self.batch_size = BATCH_SIZE.labels(name, version)
        self.batch_seconds = BATCH_SECONDS.labels(name, version)

    def batch(self, record: BatchRecord) -> None:
        """Counts one batch."""
        self.totals.batch(record)
        self.queue_wait.observe(max(record.waited_s))
        self.batch_size.observe(record.items)
        self.batch_seconds.observe(record.seconds)

    def request(self, *, ok: bool, seconds: float) -> None:
        """Counts one request to this model."""
        self.totals.request(ok=ok, seconds=seconds)
        self._prediction.observe(seconds)


class Metrics:
    """The server's view of the process's registry."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, str], ModelMetrics] = {}
        self._outcomes: dict[tuple[str, str], Counter] = {}

    def model(self, name: str, version: str) -> ModelMetrics:
        """The metrics of one model version."""
        found = self._models.get((name, version))
        if found is None:
            found = self._models[name, version] = ModelMetrics(name, version)
        return found

    def observe_batch(self, name: str, version: str, record: BatchRecord) -> None:
        """An :data:`discern.engine.options.Observer`."""
        self.model(name, version).batch(record)

    def ended(self, endpoint: str, outcome: str) -> None:
        """Counts one request."""
        child = self._outcomes.get((endpoint, outcome))
        if child is None:
            child = self._outcomes[endpoint, outcome] = REQUESTS.labels(endpoint, outcome)
        child.inc()

    def know_endpoints(self, names: Iterable[str]) -> None:
        """Makes every series exist from the start, so that a rate over it is never missing."""
        for name in names:
            for outcome in OUTCOMES:
                self._outcomes[name, outcome] = REQUESTS.labels(name, outcome)

    def loaded(self, name: str, version: str, seconds: float) -> None:
        """Records how long a model took to load."""
        self.model(name, version)
        LOAD_SECONDS.labels(name, version).set(seconds)

    def render(self) -> bytes:
        """The scrape: of all processes where they share a folder, else of this one."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(REGISTRY)
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def forget_process(pid: int | None = None) -> None:
    """Ends a process's share of the gauges: this one's if None."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid or os.getpid())  # type: ignore[no-untyped-call]
