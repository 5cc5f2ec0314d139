"""How a local engine runs its models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from discern.inference.contract import BatchLimits, BatchRecord

Observer = Callable[[str, str, BatchRecord], None]
"""Called as ``observe(model_name, model_version, record)`` for every batch."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Settings every kind of model shares.

    Args:
        sessions: batches of one model run at once; None: processors divided by ``threads``.
        threads: threads computing one batch.
        provider: ``cpu`` or ``cuda``.
        limits: of a batch and of the queue before it.
        observe: told of every batch.
    """

    sessions: int | None = None
    threads: int = 1
    provider: Literal["cpu", "cuda"] = "cpu"
    limits: BatchLimits = field(default_factory=BatchLimits)
    observe: Observer | None = None
