"""Our models as the protocol sees them: one adapter for each task that it can carry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from discern.engine.interface import SENTIMENT_TASK
from discern.engine.residents import Loaded
from discern.errors import InvalidInput, ModelNotFound
from discern.model_server.exchange import Request
from discern.model_server.open_inference.tensors import Tensor, TensorSpec
from discern.model_server.server import Server
from discern.model_server.texts import analyze_texts, as_sentiment
from discern.text.contract import MAX_TEXTS, check_texts


class Adapter(Protocol):
    """What a task's models take and give as tensors."""

    def inputs(self, loaded: Loaded) -> tuple[TensorSpec, ...]: ...

    def outputs(self, loaded: Loaded) -> tuple[TensorSpec, ...]: ...

    async def infer(
        self, server: Server, request: Request, loaded: Loaded, inputs: Mapping[str, Tensor]
    ) -> list[Tensor]:
        """Every output, in the order of :meth:`outputs`."""
        ...


class SentimentAdapter:
    """``text`` BYTES [n] in; ``label`` BYTES [n] and ``scores`` FP32 [n, labels] out, the scores
    in the order of the bundle's labels."""

    def inputs(self, loaded: Loaded) -> tuple[TensorSpec, ...]:
        return (TensorSpec("text", "BYTES", (-1,), most=MAX_TEXTS),)

    def outputs(self, loaded: Loaded) -> tuple[TensorSpec, ...]:
        labels = len(loaded.bundle.manifest.labels)
        return (TensorSpec("label", "BYTES", (-1,)), TensorSpec("scores", "FP32", (-1, labels)))

    async def infer(
        self, server: Server, request: Request, loaded: Loaded, inputs: Mapping[str, Tensor]
    ) -> list[Tensor]:
        values = inputs["text"].values
        if values.ndim != 1 and values.shape != (values.size, 1):
            raise InvalidInput("The shape of 'text' must be [n] or [n, 1].", field="text")
        texts = [_text(value, index) for index, value in enumerate(values.ravel())]
        moods = await analyze_texts(
            server, request, as_sentiment(loaded), check_texts(texts, field="text")
        )
        labels = np.array([mood.label.encode() for mood in moods], dtype=object)
        scores = np.array([list(mood.scores.values()) for mood in moods], dtype=np.float32)
        return [Tensor("label", "BYTES", labels), Tensor("scores", "FP32", scores)]


def _text(value: bytes, index: int) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"'text[{index}]' is not UTF-8.", field=f"text[{index}]") from None


ADAPTERS: Final[Mapping[str, Adapter]] = {SENTIMENT_TASK: SentimentAdapter()}


def adapter_of(loaded: Loaded) -> Adapter:
    """The adapter of a model's task.

    Raises:
        ModelNotFound: the protocol carries no models of that task.
    """
    manifest = loaded.bundle.manifest
    adapter = ADAPTERS.get(manifest.task)
    if adapter is None:
        raise ModelNotFound(
            f"'{manifest.name}' ({manifest.task}) is not served by this protocol.", field="model"
        )
    return adapter
