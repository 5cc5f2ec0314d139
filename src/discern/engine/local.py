"""The engine whose models live in this process."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Self, cast

from discern.catalog.manifest import Bundle
from discern.catalog.pull import DEFAULT_DETECTOR, entries, not_pulled
from discern.catalog.store import Store
from discern.engine.interface import SENTIMENT_TASK, ModelInfo
from discern.engine.options import EngineOptions
from discern.engine.residents import Key, Loaded, Loader, Residents, key_of
from discern.engine.sentiment import LoadedSentiment
from discern.errors import DiscernError, MissingExtra, ModelNotFound
from discern.recommendations.contract import TASK as RECOMMENDATION_TASK
from discern.recommendations.contract import (
    Filters,
    RecommendationList,
    RecommendationRequest,
    check_count,
    check_request,
)
from discern.text.contract import Sentiment, check_texts
from discern.vision.contract import (
    DEFAULT_THRESHOLD,
    DETECTION_TASK,
    DetectionResult,
    TextResult,
    check_threshold,
)

if TYPE_CHECKING:
    from discern.engine.pictures import LoadedDetector, PictureReader
    from discern.engine.recommender import LoadedRecommender


ACTIVATION_CHECK_S: Final = 1.0
"""How often at most to look whether another recommendation model was activated."""

_log = logging.getLogger(__name__)


def _load_detector(bundle: Bundle, options: EngineOptions) -> LoadedDetector:
    # Imported here: whoever only reads texts starts without Pillow.
    from discern.engine.pictures import LoadedDetector

    return LoadedDetector(bundle, options)


def _load_recommender(bundle: Bundle, options: EngineOptions) -> LoadedRecommender:
    # Imported here: scipy comes with an extra of its own.
    try:
        from discern.engine.recommender import LoadedRecommender
    except ImportError as error:
        raise MissingExtra(
            "Recommendations need scipy and scikit-learn: pip install 'discern[recommendations]'."
        ) from error
    return LoadedRecommender(bundle, options)


LOADERS: Final[Mapping[str, Loader]] = {
    SENTIMENT_TASK: LoadedSentiment,
    DETECTION_TASK: _load_detector,
    RECOMMENDATION_TASK: _load_recommender,
}
"""Task -> what makes a loaded model of a bundle: one line for each domain."""


class LocalEngine:
    """Implements :class:`discern.engine.interface.Engine`; a model is loaded at its first use.

    As a context manager it closes itself at the end of the block.

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
        options = options or EngineOptions()
        self._store = store or Store()
        self._recommender_checked = 0.0
        self.residents = Residents(self._store, LOADERS, options)
        self._options = options
        self._picture_reader: PictureReader | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    def detect_objects(
        self,
        image: bytes,
        *,
        model: str | None = None,
        threshold: float = DEFAULT_THRESHOLD,
        deadline_s: float | None = None,
    ) -> DetectionResult:
        """See :meth:`discern.engine.interface.Engine.detect_objects`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        least = check_threshold(threshold)
        return self.detector(model).detect(image, least, deadline)

    def read_text(
        self, image: bytes, *, model: str | None = None, deadline_s: float | None = None
    ) -> TextResult:
        """See :meth:`discern.engine.interface.Engine.read_text`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        reader = self._reader()
        if model not in (None, reader.reader.name):
            raise ModelNotFound(f"'{model}' does not read text in pictures.", field="model")
        return reader.read(image, deadline)

    def recommend(
        self,
        request: RecommendationRequest,
        *,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """See :meth:`discern.engine.interface.Engine.recommend`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        checked = check_request(request)
        return self.recommender(model).recommend(checked, deadline)

    def similar_contents(
        self,
        content: str,
        *,
        n: int = 10,
        filters: Filters | None = None,
        model: str | None = None,
        deadline_s: float | None = None,
    ) -> RecommendationList:
        """See :meth:`discern.engine.interface.Engine.similar_contents`."""
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        found = self.recommender(model)
        return found.similar(content, check_count(n), filters or Filters(), deadline)

    def recommender(self, model: str | None = None) -> LoadedRecommender:
        """The loaded recommendation model of that name, or the active one.

        Raises:
            ModelNotFound: none was fitted yet.
            BundleInvalid: it cannot be loaded.
        """
        loaded = self.residents.get(RECOMMENDATION_TASK, model)
        if model is None and time.monotonic() - self._recommender_checked > ACTIVATION_CHECK_S:
            self._recommender_checked = time.monotonic()
            if self._store.active(RECOMMENDATION_TASK).folder != loaded.bundle.folder:
                loaded = self._take_over(loaded)
        return cast("LoadedRecommender", loaded)  # what LOADERS makes of the task

    def _take_over(self, former: Loaded) -> Loaded:
        """A nightly fit activates a new version; one that cannot be loaded changes nothing."""
        try:
            return self.residents.refresh(RECOMMENDATION_TASK)
        except DiscernError:
            _log.exception("the new recommendation model cannot be loaded; the former goes on")
            return former

    def detector(self, model: str | None = None) -> LoadedDetector:
        """The loaded detector of that name, or the active one.

        Raises:
            ModelNotReady: the catalog knows one, but it is not on this machine.
            ModelNotFound: there is none.
            BundleInvalid: it cannot be loaded.
        """
        try:
            loaded = self.residents.get(DETECTION_TASK, model)
        except ModelNotFound:
            if model is None or any(item.name == model for item in entries()):
                raise not_pulled(model or DEFAULT_DETECTOR) from None
            raise
        return cast("LoadedDetector", loaded)  # what LOADERS makes of the task

    def reader_key(self, model: str | None = None) -> Key | None:
        """The name and version of what reads text in pictures, if it is installed and so named."""
        reader = self._reader().reader
        is_asked = reader.installed() and model in (None, reader.name)
        return (reader.name, reader.version) if is_asked else None

    def _reader(self) -> PictureReader:
        from discern.engine.pictures import PictureReader

        with self._lock:
            if self._picture_reader is None:
                self._picture_reader = PictureReader(self._options)
            return self._picture_reader

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
        infos = self.residents.infos()
        here = {info.name for info in infos}
        for item in entries():
            if item.name not in here:
                reason = not_pulled(item.name).message
                infos.append(
                    ModelInfo(
                        item.name, item.manifest.version, item.manifest.task, "available", reason
                    )
                )
        return [*infos, *self._reader().infos()]

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
