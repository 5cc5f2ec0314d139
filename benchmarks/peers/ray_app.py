"""Ray Serve: two replicas of one thread each, requests batched."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import ray
from ray import serve
from starlette.requests import Request

from sentiment import BATCH, PORT, Sentiment


@serve.deployment(num_replicas=2, max_ongoing_requests=256, ray_actor_options={"num_cpus": 1})
class SentimentReplica:
    def __init__(self) -> None:
        self.model = Sentiment()

    @serve.batch(max_batch_size=BATCH, batch_wait_timeout_s=0.001)
    async def batched(self, texts: list[str]) -> list[dict[str, object]]:
        return await asyncio.to_thread(self.model.analyze, texts)

    async def __call__(self, request: Request) -> dict[str, object]:
        answer: dict[str, object] = await self.batched((await request.json())["text"])
        return answer


if __name__ == "__main__":
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(
        http_options={"host": "127.0.0.1", "port": PORT},
        logging_config={"log_level": "ERROR", "enable_access_log": False},
    )
    replica: Any = SentimentReplica  # a deployment, of which its decorator's types say nothing
    serve.run(replica.bind(), name="sentiment", route_prefix="/analyze")
    stop.wait()
    serve.shutdown()
    ray.shutdown()
