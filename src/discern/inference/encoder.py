"""Runs a text encoder on single rows of token ids, batched behind the caller's back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

import numpy as np
from numpy.typing import NDArray

from discern.errors import BundleInvalid, DiscernError, InferenceFailed
from discern.inference.batching import DynamicBatcher
from discern.inference.contract import BatcherStats, BatchLimits, BatchRecord, Session
from discern.inference.machine import available_cpus
from discern.inference.session import Provider, open_session

Ids = NDArray[np.int64]
Logits = NDArray[np.float32]
INPUT_NAMES: Final = frozenset({"input_ids", "attention_mask", "token_type_ids"})
WARM_UP_TOKENS: Final = (8, 24, 128)


class EncoderRunner:
    """Batches rows of token ids through an encoder with a classification head.

    Args:
        model_path: takes ``input_ids`` and ``attention_mask`` (and ``token_type_ids`` if it
            must), int64 ``[rows, tokens]``; its first output is float32 ``[rows, labels]``.
        sessions: batches run at once; as many as there are processors over ``threads`` if None.
        threads: threads for each batch. Several sessions of one thread are faster than one
            session of several wherever there are enough requests.
        limits: of a batch and the queue; costs are tokens.
        pad_id: fills short rows; masked, so its value only has to be valid.
        observe: told of every batch.

    Raises:
        BundleInvalid: the file is missing, unreadable or has another signature.
        ConfigurationInvalid: an impossible number of threads.
    """

    def __init__(
        self,
        model_path: str | os.PathLike[str],
        *,
        sessions: int | None = None,
        threads: int = 1,
        provider: Provider = "cpu",
        limits: BatchLimits | None = None,
        pad_id: int = 0,
        observe: Callable[[BatchRecord], None] | None = None,
    ) -> None:
        workers = sessions or max(1, available_cpus() // threads)
        # Callers compute on their own thread when threads == 1: they can share one session.
        shared = threads == 1 and provider == "cpu"
        self._sessions: list[Session] = [
            open_session(model_path, threads=threads, provider=provider)
            for _ in range(1 if shared else workers)
        ]
        self._pad_id = pad_id
        self._names = _check_signature(self._sessions[0])
        self._warm_up()
        self._batcher: DynamicBatcher[Ids, Logits] = DynamicBatcher(
            self._run,
            workers=workers,
            limits=limits,
            name="encoder",
            observe=observe,
            clock=time.thread_time if shared else time.perf_counter,
        )

    def submit(self, ids: Ids, deadline: float | None = None) -> Future[Logits]:
        """Queues one row of token ids, int64 ``[tokens]``; gives its logits, float32
        ``[labels]``. ``deadline`` is a :func:`time.monotonic` instant.

        Raises: as :meth:`discern.inference.batching.DynamicBatcher.submit`.
        """
        return self._batcher.submit(ids, cost=len(ids), deadline=deadline)

    def submit_many(
        self, rows: Sequence[Ids], deadline: float | None = None, *, admitted: bool = False
    ) -> list[Future[Logits]]:
        """Queues the rows of one call, all or none; see
        :meth:`discern.inference.batching.DynamicBatcher.submit_many`."""
        return self._batcher.submit_many(
            ((ids, len(ids)) for ids in rows), deadline=deadline, admitted=admitted
        )

    def try_submit(
        self, ids: Ids, deadline: float | None, told: Callable[[Logits | DiscernError], None]
    ) -> Callable[[], None] | None:
        """Queues one row without a future, or says that it cannot; see
        :meth:`discern.inference.batching.DynamicBatcher.try_submit`."""
        return self._batcher.try_submit(ids, cost=len(ids), deadline=deadline, told=told)

    def has_room(self) -> bool:
        """Whether a row would be taken now."""
        return self._batcher.has_room()

    def turned_away(self) -> None:
        """Counts a row that was refused with an answer made before."""
        self._batcher.turned_away()

    def check_room(self) -> None:
        """Raises Overloaded if a row would be refused now; see
        :meth:`discern.inference.batching.DynamicBatcher.check_room`."""
        self._batcher.check_room()

    def stats(self) -> BatcherStats:
        """What has been run so far and what waits; costs are tokens."""
        return self._batcher.stats()

    def close(self, *, drain: bool = False) -> None:
        """Stops; with ``drain`` what is queued is run first. Harmless when repeated."""
        self._batcher.close(drain=drain)

    def _warm_up(self) -> None:
        # The first run of a session allocates; no caller should pay for that.
        for session in self._sessions:
            for tokens in WARM_UP_TOKENS:
                session.run(self._feeds([np.ones(tokens, dtype=np.int64)]))

    def _run(self, worker: int, rows: list[Ids]) -> Sequence[Logits | DiscernError]:
        session = self._sessions[worker % len(self._sessions)]
        logits: Logits = session.run(self._feeds(rows))[0]
        if logits.ndim != 2 or len(logits) != len(rows):
            raise InferenceFailed(f"{len(rows)} rows gave an output of shape {logits.shape}.")
        if np.isfinite(logits).all():
            return list(logits)
        return [
            row if np.isfinite(row).all() else InferenceFailed("The model's output is not finite.")
            for row in logits
        ]

    def _feeds(self, rows: Sequence[Ids]) -> dict[str, Ids]:
        lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
        longest = int(lengths.max())
        if longest * len(rows) == int(lengths.sum()):
            ids = np.stack(rows)
            mask = np.ones_like(ids)
        else:
            mask = (np.arange(longest) < lengths[:, None]).astype(np.int64)
            ids = np.full(mask.shape, self._pad_id, dtype=np.int64)
            ids[mask.astype(bool)] = np.concatenate(rows)
        feeds = {"input_ids": ids, "attention_mask": mask}
        if "token_type_ids" in self._names:
            feeds["token_type_ids"] = np.zeros_like(ids)
        return feeds


def _check_signature(session: Session) -> frozenset[str]:
    names = frozenset(info.name for info in session.inputs)
    if not {"input_ids", "attention_mask"} <= names <= INPUT_NAMES:
        raise BundleInvalid(
            f"The encoder takes {sorted(names)}; it must take input_ids and attention_mask.",
            field="inputs",
        )
    return names
