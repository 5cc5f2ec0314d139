"""What one server process holds: the engine, the settings, and whether it is ready or leaving."""

from __future__ import annotations

import asyncio
import gc
import hmac
import logging
import threading
from collections.abc import AsyncIterator, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar

from discern.engine.local import LocalEngine
from discern.engine.residents import Loaded, key_of
from discern.errors import DiscernError, Draining, Overloaded, Unauthorized
from discern.model_server.exchange import Receive, Request
from discern.model_server.metrics import IN_FLIGHT, Metrics, forget_process
from discern.model_server.settings import ModelServerSettings
from discern.model_server.waiting import Bridge, Patience, drive

_log = logging.getLogger(__name__)
T = TypeVar("T")
LONG_STEP_CHARS: Final = 4_000
"""Texts longer than this together are tokenized off the event loop (about a millisecond)."""
FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
POLL_S: Final = 0.02
GARBAGE_THRESHOLDS: Final = (20_000, 20, 20)


class Server:
    """State shared by the endpoints of one process.

    Args:
        settings: as read from the environment.
        engine: where the models are; closed with the server.
        metrics: the process's; one per process.
    """

    def __init__(
        self, settings: ModelServerSettings, engine: LocalEngine, metrics: Metrics
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.metrics = metrics
        self.draining = False
        self.in_flight = 0
        self._guarded = 0
        self._leaving = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bridge: Bridge | None = None
        token = settings.token
        self._authorization = (
            None if token is None else f"Bearer {token.get_secret_value()}".encode()
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Loads the models in the background while up; unloads them at the end."""
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(4, thread_name_prefix="aside"))
        self._bridge = Bridge(self._loop)
        loader = threading.Thread(target=self._load_models, name="loader", daemon=True)
        loader.start()
        try:
            yield
        finally:
            self._leaving.set()
            await asyncio.to_thread(self.engine.close)
            forget_process()

    def check_token(self, request: Request) -> None:
        """Knows the caller.

        Raises:
            Unauthorized: the token is missing or wrong.
        """
        given = request.headers.get(b"authorization", b"")
        if not self.knows(given):
            raise Unauthorized("This server needs its token: 'Authorization: Bearer ...'.")

    def knows(self, authorization: bytes) -> bool:
        """True where that header's value is right, or no token is set."""
        wanted = self._authorization
        return wanted is None or hmac.compare_digest(authorization, wanted)

    def admit(self) -> None:
        """Lets in a request that :meth:`entered` has counted.

        Raises:
            Draining: the server is stopping.
            Overloaded: too many requests are under way.
        """
        if self.draining:
            raise Draining("The server is stopping.", retry_after_s=1.0)
        self._check_under_way(self._guarded)

    def has_place(self) -> bool:
        """Whether one more request may be under way."""
        return self._guarded < self.settings.max_requests

    def check_place(self) -> None:
        """Refuses what :meth:`admit` would, before :meth:`entered` counts it.

        Raises:
            Overloaded: too many requests are under way.
        """
        self._check_under_way(self._guarded + 1)

    def _check_under_way(self, guarded: int) -> None:
        limit = self.settings.max_requests
        if guarded > limit:
            raise Overloaded(f"{limit:,} requests are under way.", limit=limit, retry_after_s=1.0)

    def entered(self, *, guarded: bool) -> None:
        """Counts a request in; only guarded ones count towards ``max_requests``."""
        self.in_flight += 1
        self._guarded += guarded
        IN_FLIGHT.inc()

    def left(self, *, guarded: bool) -> None:
        """Counts it out."""
        self.in_flight -= 1
        self._guarded -= guarded
        IN_FLIGHT.dec()

    async def carry(
        self,
        steps: Generator[Future[Any], None, T],
        receive: Receive | None,
        *,
        deadline: float,
        chars: int,
        begun: Callable[[float], None] = lambda _: None,
    ) -> T:
        """Runs a call of the engine without blocking the event loop, as long as the client
        waits.

        Args:
            steps: the call, as :meth:`discern.engine.sentiment.LoadedSentiment.steps` makes it.
            receive: the request's, read to its end, to notice when the client goes away.
            chars: how long its texts are, which says where they are tokenized.
            begun: told how many seconds that took.

        Raises:
            DeadlineExceeded, Cancelled: the client's time ran out, or it went away; what was
                queued for it is dropped.
            DiscernError: from the engine.
        """
        if self._loop is None or self._bridge is None:
            raise Draining("The server is not running.")
        patience = Patience(self._loop, receive, deadline)
        aside = self._loop if chars > LONG_STEP_CHARS else None
        try:
            return await drive(steps, self._bridge, patience, aside=aside, begun=begun)
        finally:
            patience.close()

    async def is_ready(self) -> bool:
        """True when every required model has answered lately or answers its canary now."""
        if self.draining:
            return False
        return await asyncio.to_thread(self._required_are_well)

    async def is_well(self, loaded: Loaded) -> bool:
        """The same for one model."""
        return not self.draining and await asyncio.to_thread(
            self.engine.residents.well, key_of(loaded.bundle)
        )

    async def drain(self) -> float:
        """Refuses what is new and waits until what was accepted is answered.

        Returns:
            the seconds of ``drain_s`` that are left; 0 where some was not answered in time.
        """
        self.draining = True
        clock = asyncio.get_running_loop().time
        end = clock() + self.settings.drain_s
        while self.in_flight and clock() < end:
            await asyncio.sleep(POLL_S)
        return max(end - clock(), 0.0)

    def refresh(self) -> None:
        """Begins to load what the catalog now says is active, in a thread of its own."""
        residents = self.engine.residents
        # A detector is loaded when the first picture comes; it is followed from then on.
        tasks = dict.fromkeys([*self.settings.tasks, *residents.active_tasks()])
        loads = [partial(residents.refresh, task) for task in tasks]
        threading.Thread(target=lambda: [self._loads(load) for load in loads], daemon=True).start()

    def _required_are_well(self) -> bool:
        residents = self.engine.residents
        required = [residents.peek(task) for task in self.settings.tasks]
        required += [residents.peek_any(*_split(model)) for model in self.settings.models]
        return all(
            loaded is not None and residents.well(key_of(loaded.bundle)) for loaded in required
        )

    def _load_models(self) -> None:
        residents = self.engine.residents
        wanted: list[Callable[[], Loaded]] = []
        wanted += [partial(residents.get, task) for task in self.settings.tasks]
        wanted += [partial(residents.load, *_split(model)) for model in self.settings.models]
        pause_s = FIRST_RETRY_S
        while wanted and not self._leaving.is_set():
            wanted = [load for load in wanted if not self._loads(load)]
            if wanted:
                self._leaving.wait(pause_s)
                pause_s = min(pause_s * 2, LONGEST_RETRY_S)

    def _loads(self, load: Callable[[], Loaded]) -> bool:
        try:
            loaded = load()
        except DiscernError as error:
            if not self._leaving.is_set():
                _log.error("a model cannot be loaded: %s", error.message)
            return False
        self.record_load(loaded)
        return True

    def record_load(self, loaded: Loaded) -> None:
        """Tells the log and the metrics of a model that was loaded."""
        key = key_of(loaded.bundle)
        seconds = self.engine.residents.load_seconds().get(key, 0.0)
        self.metrics.loaded(*key, seconds)
        _settle_memory()
        _log.info("model %s %s is ready after %.2f s", *key, seconds)


def _settle_memory() -> None:
    # What a model is made of stays: looking through it for garbage again and again, which holds
    # every thread up, finds none. What a request leaves needs no looking for at all.
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def _split(model: str) -> tuple[str, str | None]:
    name, _, version = model.partition(":")
    return name, version or None
