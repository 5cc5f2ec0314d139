"""BentoML: two workers of one thread each, its adaptive batching on, the access log off."""

from __future__ import annotations

import bentoml

from sentiment import BATCH, Sentiment


@bentoml.service(
    workers=2,
    traffic={"timeout": 60, "max_concurrency": 1024},
    logging={"access": {"enabled": False}},
    metrics={"enabled": True},
)
class SentimentService:
    def __init__(self) -> None:
        self.model = Sentiment()

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=1000)
    def analyze(self, texts: list[str]) -> list[dict]:  # type: ignore[type-arg]  # BentoML makes a schema of it
        return self.model.analyze(list(texts))
