"""The engine whose models live in this process."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK, ModelInfo
from discern.engine.options import EngineOptions
from discern.engine.residents import Loader, Residents, key_of
from discern.engine.sentiment import LoadedSentiment
from discern.errors import DiscernError
from discern.text.contract import Sentiment, check_texts

LOADERS: Final[Mapping[str, Loader]] = {
    SENTIMENT_TASK: LoadedSentiment,
}
"""Task -> what makes a loaded model of a bundle: one line for each domain."""


class LocalEngine:
    """Implements :class:`discern.engine.interface.Engine`; a model is loaded at its first use.

    Args:
        store: where the bundles are; the user's folder and those shipped if None.
        options: sessions, threads, limits.
        required: tasks that :meth:`ready` answers for.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        options: EngineOptions | None = None,
        required: Sequence[str] = (SENTIMENT_TASK,),
    ) -> None:
        self._required = tuple(required)
        self.residents = Residents(store or Store(), LOADERS, options or EngineOptions())

    def analyze(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> list[Sentiment]:
        """See :meth:`discern.engine.interface.Engine.analyze`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        checked = check_texts(texts if isinstance(texts, str | bytes) else list(texts))
        return self.sentiment(model).analyze(checked, deadline)

    def sentiment(self, model: str | None = None) -> LoadedSentiment:
        """The loaded sentiment model of that name, or the active one.

        Raises:
            ModelNotFound: there is none.
            BundleInvalid: it cannot be loaded.
        """
        loaded = self.residents.get(SENTIMENT_TASK, model)
        assert isinstance(loaded, LoadedSentiment)  # noqa: S101 - what LOADERS makes of the task
        return loaded

    def models(self) -> list[ModelInfo]:
        """See :meth:`discern.engine.interface.Engine.models`."""
        return self.residents.infos()

    def ready(self) -> bool:
        """Loads the required models if need be; True when each has answered a canary lately."""
        try:
            return bool(self._required) and all(
                self.residents.well(key_of(self.residents.get(task).bundle))
                for task in self._required
            )
        except DiscernError:
            return False

    def close(self) -> None:
        """Unloads every model; calls still waiting fail with Draining."""
        self.residents.close()
