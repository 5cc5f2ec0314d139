"""MLServer in one process (parallel_workers=0), its adaptive batching on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

from sentiment import BATCH, PORT, THREADS, Sentiment


class SentimentModel(MLModel):
    async def load(self) -> bool:
        self._model = Sentiment()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        texts = StringCodec.decode_input(payload.inputs[0])
        answers = await asyncio.to_thread(self._model.analyze, texts)
        return InferenceResponse(
            model_name=self.name,
            outputs=[StringCodec.encode_output("answer", [json.dumps(each) for each in answers])],
        )


def write_settings(folder: Path) -> None:
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": PORT,
        "grpc_port": PORT + 1,
        "metrics_port": PORT + 2,
        "parallel_workers": 0,
    }
    model = {
        "name": "sentiment",
        "implementation": "mlserver_app.SentimentModel",
        "max_batch_size": BATCH,
        "max_batch_time": 0.001,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))


if __name__ == "__main__":
    work = Path(tempfile.mkdtemp(prefix="bench-mlserver-"))
    write_settings(work)
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    os.environ["BENCH_THREADS"] = str(THREADS)
    os.execv(sys.executable, [sys.executable, "-m", "mlserver.cli.main", "start", str(work)])
