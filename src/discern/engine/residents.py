"""The models living in this process: loaded once, swapped without a gap, asked for by name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from discern.catalog.manifest import Bundle
from discern.catalog.store import Store, version_key
from discern.engine.interface import ModelInfo
from discern.engine.options import EngineOptions
from discern.errors import BundleInvalid, DiscernError, ModelNotFound, ModelNotReady, Unavailable
from discern.inference.contract import BatcherStats
from discern.inference.loading import SingleFlight

HEALTH_FRESH_S: Final = 5.0
CANARY_DEADLINE_S: Final = 2.0


class Loaded(Protocol):
    """A model in memory, of whatever task."""

    @property
    def bundle(self) -> Bundle: ...

    def canary(self, deadline: float | None = None) -> None:
        """Runs a real inference and raises unless its answer makes sense."""
        ...

    def stats(self) -> BatcherStats: ...

    def close(self, *, drain: bool = False) -> None: ...


Loader = Callable[[Bundle, EngineOptions], Loaded]
Key = tuple[str, str]


@dataclass(slots=True)
class _Resident:
    loaded: Loaded
    seconds: float
    done: int = -1
    well_at: float = 0.0


class Residents:
    """Loads bundles of the tasks it has loaders for.

    Args:
        store: where bundles are found.
        loaders: task -> what makes a loaded model of a bundle.
        options: handed to the loaders.
    """

    def __init__(self, store: Store, loaders: Mapping[str, Loader], options: EngineOptions) -> None:
        self._store = store
        self._loaders = loaders
        self._options = options
        self._lock = threading.Lock()
        self._residents: dict[Key, _Resident] = {}
        self._active: dict[str, Key] = {}
        self._wanted: set[tuple[str, str | None]] = set()
        self._failures: dict[Key, str] = {}
        self._loading: set[Key] = set()
        self._flights: SingleFlight[Key, Loaded] = SingleFlight()
        self._closed = False

    def get(self, task: str, name: str | None = None, version: str | None = None) -> Loaded:
        """The model of that name (the task's active one if None), loaded now if need be.

        Raises:
            ModelNotFound: no such model of that task.
            BundleInvalid: it cannot be loaded.
        """
        resident = self.peek(task, name, version)
        if resident is not None:
            return resident
        return self.refresh(task) if name is None else self._load(self._find(task, name, version))

    def peek(self, task: str, name: str | None = None, version: str | None = None) -> Loaded | None:
        """The same if it is loaded already, else None; never touches the disk."""
        if name is None:
            key = self._active.get(task)
            resident = self._residents.get(key) if key else None
            return resident.loaded if resident else None
        loaded = self.peek_any(name, version)
        return loaded if loaded and loaded.bundle.manifest.task == task else None

    def peek_key(self, task: str, name: str | None = None) -> Key | None:
        """The name and version of what :meth:`peek` gives."""
        loaded = self.peek(task, name)
        return key_of(loaded.bundle) if loaded else None

    def peek_any(self, name: str, version: str | None = None) -> Loaded | None:
        """A loaded model by name whatever its task, the newest version if none is named."""
        found = [
            resident.loaded
            for (known, its_version), resident in list(self._residents.items())
            if known == name and version in (None, its_version)
        ]
        return max(
            found, key=lambda loaded: version_key(loaded.bundle.manifest.version), default=None
        )

    def peek_or_raise(
        self, task: str, name: str | None = None, version: str | None = None
    ) -> Loaded:
        """The loaded model, for a server that loads nothing on a caller's behalf.

        Raises:
            ModelNotReady: known, but not loaded.
            ModelNotFound: no such model of that task.
        """
        loaded = self.peek(task, name, version)
        if loaded is not None:
            return loaded
        manifest = self._find(task, name, version).manifest
        raise ModelNotReady(
            f"The model '{manifest.name}' is not loaded yet.", field="model", retry_after_s=1.0
        )

    def loaded(self) -> list[Loaded]:
        """Every loaded model, in the order of loading."""
        return [resident.loaded for resident in list(self._residents.values())]

    def load_seconds(self) -> dict[Key, float]:
        """How long each loaded model took to load."""
        return {key: resident.seconds for key, resident in list(self._residents.items())}

    def active_tasks(self) -> list[str]:
        """The tasks that a loaded model answers."""
        with self._lock:
            return sorted(self._active)

    def refresh(self, task: str) -> Loaded:
        """Loads what the store now says answers ``task`` and lets it take over; the former one
        finishes what it has, and stays where :meth:`load` was asked for it. If loading fails, the
        former one goes on."""
        while True:
            bundle = self._store.active(task)
            key = key_of(bundle)
            was_here = key in self._residents
            loaded = self._load(bundle)
            current, gone = self._take_over(task, key, was_here)
            _let_go(gone)
            if current:
                return loaded

    def load(self, name: str, version: str | None = None) -> Loaded:
        """Loads a model by name whatever its task, to stay until it is unloaded. It takes over from
        another version of it; if it cannot be loaded, that one goes on.

        Raises: as :meth:`get`.
        """
        bundle = self._store.find(name, version)
        task = bundle.manifest.task
        if task not in self._loaders:
            raise ModelNotFound(f"'{name}' is of the task '{task}'.", field="model")
        loaded = self._load(bundle)
        key, gone = key_of(bundle), []
        with self._lock:
            # Another version that was loaded meanwhile has taken over from this one.
            if key in self._residents:
                if self._active.get(task, ("", ""))[0] in ("", name):
                    self._active[task] = key
                gone = self._take_out(lambda known: known[0] == name and known != key)
                self._wanted.add((name, version))
        _let_go(gone)
        return loaded

    def unload(self, name: str, version: str | None = None) -> None:
        """Takes a model out of memory once it has done what is queued.

        Raises:
            ModelNotFound: it is not loaded.
        """
        with self._lock:
            gone = self._take_out(lambda key: key[0] == name and version in (None, key[1]))
            self._wanted.discard((name, version))
        if not gone:
            raise ModelNotFound(f"The model '{name}' is not loaded.", field="model")
        _let_go(gone)

    def infos(self) -> list[ModelInfo]:
        """Every model of the store, and those loaded from elsewhere, with their states."""
        bundles = {key_of(bundle): bundle for bundle in self._store.bundles()}
        with self._lock:
            for key, resident in self._residents.items():
                bundles.setdefault(key, resident.loaded.bundle)
            return [self._info(key, bundle) for key, bundle in sorted(bundles.items())]

    def well(self, key: Key) -> bool:
        """True when the model has answered lately; asks its canary where nobody else did."""
        resident = self._residents.get(key)
        if resident is None:
            return False
        now, done = time.monotonic(), resident.loaded.stats().done
        if done == resident.done and now - resident.well_at < HEALTH_FRESH_S:
            return True
        if done != resident.done and resident.done >= 0:
            resident.done, resident.well_at = done, now
            self._failures.pop(key, None)
            return True
        try:
            resident.loaded.canary(now + CANARY_DEADLINE_S)
        except DiscernError as error:
            self._failures[key] = error.message
            return False
        self._failures.pop(key, None)
        resident.done, resident.well_at = resident.loaded.stats().done, time.monotonic()
        return True

    def close(self) -> None:
        """Unloads everything; harmless when repeated."""
        with self._lock:
            self._closed = True
            residents = list(self._residents.values())
            self._residents.clear()
            self._active.clear()
        for resident in residents:
            resident.loaded.close()

    def _take_over(self, task: str, key: Key, was_here: bool) -> tuple[bool, list[_Resident]]:
        """Whether the store still says so, and who leaves for it."""
        with self._lock:
            # Another may have been activated, and taken over, while this one was loading.
            if key in self._residents and key_of(self._store.active(task)) == key:
                former = self._active.get(task)
                self._active[task] = key
                return True, self._take_out(
                    lambda known: known == former != key and not self._is_wanted(known, key)
                )
            in_use = was_here or key in self._active.values() or key in self._wanted
            return False, self._take_out(lambda known: known == key and not in_use)

    def _is_wanted(self, key: Key, beside: Key) -> bool:
        by_name = (key[0], None) in self._wanted and key[0] != beside[0]
        return by_name or key in self._wanted

    def _take_out(self, leaves: Callable[[Key], bool]) -> list[_Resident]:
        keys = [key for key in self._residents if leaves(key)]
        self._wanted -= set(keys)
        self._active = {task: key for task, key in self._active.items() if key not in keys}
        return [self._residents.pop(key) for key in keys]

    def _find(self, task: str, name: str | None, version: str | None) -> Bundle:
        if name is None:
            return self._store.active(task)
        bundle = self._store.find(name, version)
        if bundle.manifest.task != task:
            raise ModelNotFound(
                f"The model '{name}' is for '{bundle.manifest.task}', not '{task}'.", field="model"
            )
        return bundle

    def _load(self, bundle: Bundle) -> Loaded:
        key = key_of(bundle)
        resident = self._residents.get(key)
        if resident is not None:
            return resident.loaded
        return self._flights.do(key, lambda: self._load_now(key, bundle))

    def _load_now(self, key: Key, bundle: Bundle) -> Loaded:
        resident = self._residents.get(key)
        if resident is not None:  # loaded between the caller's look and its turn
            return resident.loaded
        self._loading.add(key)
        try:
            started = time.monotonic()
            loaded = self._loaders[bundle.manifest.task](bundle, self._options)
            try:
                loaded.canary(time.monotonic() + 10 * CANARY_DEADLINE_S)
                self._move_in(key, _Resident(loaded, time.monotonic() - started))
            except BaseException:
                loaded.close()
                raise
        except DiscernError as error:
            self._failures[key] = error.message
            raise
        except Exception as error:  # whoever loads goes on with the other models
            message = f"The model '{key[0]}' cannot be loaded: {error}"
            self._failures[key] = message
            raise BundleInvalid(message) from error
        finally:
            self._loading.discard(key)
        return loaded

    def _move_in(self, key: Key, resident: _Resident) -> None:
        with self._lock:
            if self._closed:
                raise Unavailable("The engine is closed.")
            resident.done, resident.well_at = resident.loaded.stats().done, time.monotonic()
            self._residents[key] = resident
            self._failures.pop(key, None)

    def _info(self, key: Key, bundle: Bundle) -> ModelInfo:
        reason = self._failures.get(key)
        if key in self._loading:
            state = "loading"
        elif reason is not None:
            state = "failed"
        else:
            state = "ready" if key in self._residents else "available"
        return ModelInfo(*key, bundle.manifest.task, state, reason)


def _let_go(gone: list[_Resident]) -> None:
    for resident in gone:
        resident.loaded.close(drain=True)


def key_of(bundle: Bundle) -> Key:
    """A bundle's name and version."""
    return bundle.manifest.name, bundle.manifest.version
