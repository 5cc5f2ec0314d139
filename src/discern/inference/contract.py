"""What crosses the wall of the inference room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from numpy.typing import NDArray

from discern.errors import ConfigurationInvalid

Array = NDArray[Any]
I_contra = TypeVar("I_contra", contravariant=True)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One input or output of a model: its name, NumPy type name, and shape with -1 for every
    dimension that may vary."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Session(Protocol):
    """A loaded model file. ``run`` may be called from several threads at once."""

    @property
    def inputs(self) -> tuple[TensorInfo, ...]: ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]: ...

    def run(self, feeds: Mapping[str, Array]) -> list[Array]:
        """Runs once and returns every output, in the order of :attr:`outputs`.

        Raises:
            InferenceFailed: the runtime refused the input or failed on it.
        """
        ...


class Batcher(Protocol[I_contra, R]):
    """Collects single items into batches and hands each caller its own answer."""

    def submit(self, item: I_contra, *, cost: int, deadline: float | None = None) -> Future[R]: ...


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much a batch and the queue before it may hold.

    Args:
        max_batch_items: items in one batch.
        max_batch_cost: the longest item's cost times the items, which is what a padded batch
            really costs; one item alone may cost more.
        max_queue_items: items waiting; past it callers are refused.
        max_wait_s: callers are also refused while the work already waiting would take longer
            than this, at the speed measured lately, and once they have waited half as long again.
            None: only the item limit counts.

    Raises:
        ConfigurationInvalid: a limit below its least useful value.
    """

    max_batch_items: int = 32
    max_batch_cost: int = 4096
    max_queue_items: int = 4096
    max_wait_s: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_batch_items", "max_batch_cost", "max_queue_items"):
            if getattr(self, name) < 1:
                raise ConfigurationInvalid(f"'{name}' must be 1 or more.", field=name, limit=1)
        if self.max_wait_s is not None and self.max_wait_s <= 0:
            raise ConfigurationInvalid("'max_wait_s' must be above 0.", field="max_wait_s")


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """One batch that was run: its items, the seconds each had waited, the seconds it ran."""

    items: int
    cost: int
    waited_s: Sequence[float]
    seconds: float


@dataclass(frozen=True, slots=True)
class BatcherStats:
    """What a batcher has done since it began, and where it stands.

    ``batch_limits`` maps the least cost of each length bucket that has run to the batch size now
    thought worth while there: 1 means that batching does not help.
    """

    workers: int
    queued_items: int
    queued_cost: int
    running_items: int
    expected_wait_s: float
    batches: int
    done: int
    failed: int
    expired: int
    cancelled: int
    refused: int
    batch_limits: Mapping[int, int] = field(default_factory=dict)
