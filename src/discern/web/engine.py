"""The engine this site's processes share: a client of the model server, with its time measured.

A web or worker process holds no model, so importing this loads neither numpy nor a runtime.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string
from prometheus_client import Counter, Histogram

from discern.engine.interface import Engine, ModelInfo
from discern.errors import DiscernError
from discern.recommendations.contract import (
    Filters,
    RecommendationList,
    RecommendationRequest,
)
from discern.text.contract import Sentiment
from discern.vision.contract import DEFAULT_THRESHOLD, DetectionResult, TextResult
from discern.web.environment import load_environment

PREDICTION_SECONDS = Histogram(
    "model_prediction_seconds",
    "Seconds one call of the engine took, as this process saw it.",
    ["model_name", "model_version"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
PREDICTIONS = Counter(
    "model_predictions_total",
    "Calls of the engine by outcome: ok, or the error's code.",
    ["model_name", "model_version", "outcome"],
)
_UNKNOWN = ("unknown", "unknown")


class MeteredEngine:
    """Any engine, with every call's time and outcome observed.

    A call that fails tells no version: it is put down to the model that last answered the same
    request, or to ``unknown`` when none has.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._last: dict[str | None, tuple[str, str]] = {}

    def analyze(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> list[Sentiment]:
        """The mood of each text, in order."""
        with self._measured(model) as answered_by:
            moods = self._inner.analyze(texts, model=model, deadline_s=deadline_s)
            if moods:
                answered_by.append((moods[0].model_name, moods[0].model_version))
        return moods

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        deadline_s: float | None = None,
    ) -> DetectionResult:
        """The objects in a picture."""
        with self._measured(model or "objects") as answered_by:
            found = self._inner.detect_objects(
                image, model=model, threshold=threshold, deadline_s=deadline_s
            )
            answered_by.append((found.model_name, found.model_version))
        return found

    def read_text(
        self, image: bytes, *, model: str | None = None, deadline_s: float | None = None
    ) -> TextResult:
        """The text in a picture."""
        with self._measured(model or "text in pictures") as answered_by:
            found = self._inner.read_text(image, model=model, deadline_s=deadline_s)
            answered_by.append((found.model_name, found.model_version))
        return found

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """A list for someone with that history."""
        with self._measured(model or "recommendations") as answered_by:
            found = self._inner.recommend(request, model=model, deadline_s=deadline_s)
            answered_by.append((found.model_name, found.model_version))
        return found

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """Contents that go with one."""
        with self._measured(model or "recommendations") as answered_by:
            found = self._inner.similar_contents(
                content, n=n, filters=filters, model=model, deadline_s=deadline_s
            )
            answered_by.append((found.model_name, found.model_version))
        return found

    def models(self) -> list[ModelInfo]:
        """Every model the engine knows."""
        return self._inner.models()

    def ready(self) -> bool:
        """Whether the engine can answer."""
        return self._inner.ready()

    def close(self) -> None:
        """Releases connections."""
        self._inner.close()

    @contextmanager
    def _measured(self, model: str | None) -> Iterator[list[tuple[str, str]]]:
        answered_by: list[tuple[str, str]] = []
        outcome = "internal_error"
        started = time.perf_counter()
        try:
            yield answered_by
            outcome = "ok"
        except DiscernError as error:
            outcome = error.code
            raise
        finally:
            elapsed = time.perf_counter() - started
            if answered_by and len(self._last) < 1_000:
                self._last[model] = answered_by[0]
            labels = answered_by[0] if answered_by else self._last.get(model, _UNKNOWN)
            PREDICTION_SECONDS.labels(*labels).observe(elapsed)
            PREDICTIONS.labels(*labels, outcome).inc()


def remote_engine() -> Engine:
    """A client of the model server that the environment names."""
    from discern.engine.remote import RemoteEngine

    environment = load_environment()
    token = environment.model_server_token
    return RemoteEngine(
        environment.model_server_url, token=token.get_secret_value() if token else None
    )


@lru_cache(maxsize=1)
def get_engine() -> Engine:
    """This process's engine, made by the factory that ``settings.ENGINE_FACTORY`` names."""
    factory = import_string(settings.ENGINE_FACTORY)
    return MeteredEngine(cast(Engine, factory()))


def engine_ready() -> bool:
    """Whether the model server answers and its models have passed their canaries."""
    try:
        return get_engine().ready()
    except DiscernError:
        return False
