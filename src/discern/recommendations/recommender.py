"""The room's front: fits from files or rows, recommends, keeps and forgets people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from discern.catalog.manifest import Bundle
from discern.errors import BundleInvalid, EmptyInput
from discern.recommendations.bundle import (
    load_arrays,
    load_model,
    pack_words,
    save_model,
    unpack_words,
)
from discern.recommendations.catalogue import Catalogue
from discern.recommendations.contract import (
    MAX_EVENTS,
    MAX_SEEN,
    Content,
    Filters,
    Interaction,
    Recommendation,
    RecommendationRequest,
    check_contents,
)
from discern.recommendations.counters import Scales
from discern.recommendations.course import Course, Passes, Report, with_time_left
from discern.recommendations.files import read_contents, read_interactions
from discern.recommendations.fit import fit_model
from discern.recommendations.fresh import FreshContents, Words
from discern.recommendations.matrices import Ratings, from_interactions
from discern.recommendations.metrics import coverage, gini, judge, top_columns
from discern.recommendations.model import Model, Scorer
from discern.recommendations.peak_memory import peak_memory_mb
from discern.recommendations.rank import Ranker
from discern.recommendations.settings import Settings, sized
from discern.recommendations.split import Fold, people_fold
from discern.recommendations.text_features import document, learn_words
from discern.recommendations.tune import tune
from discern.recommendations.word_weights import word_weights

WORDS_FILE: Final = "words.npz"
CONTENTS_FILE: Final = "contents.npz"
TUNE_SECONDS: Final = 60.0
FEWEST_TO_TUNE: Final = 50
REPORT_PEOPLE: Final = 1_000

Source = Path | str


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit makes: the ``model``, the ``words`` that new contents are ranked by, and
    the ``report``: quality on held-out people, coverage, Gini, seconds, sizes, and
    ``peak_memory_mb``, the most memory its process has held, in megabytes."""

    model: Model
    words: Words | None
    contents: tuple[Content, ...]
    report: Mapping[str, float]


class Recommender:
    """Recommends from one fitted model and the interactions it has been told of.

    >>> recommender = Recommender.fit("contents.csv", "interactions.csv")
    >>> recommender.recommend("anna", n=10)
    """

    def __init__(
        self,
        model: Model,
        contents: Iterable[Content],
        *,
        words: Words | None = None,
        interactions: Iterable[Interaction] = (),
        report: Mapping[str, Any] | None = None,
    ) -> None:
        self.report: Mapping[str, Any] = report or {}
        self._model = model
        self._words = words
        self._histories: dict[str, list[Interaction]] = {}
        catalogue = Catalogue(model.contents)
        self.ranker = Ranker(model, catalogue, fresh=FreshContents(model, words))
        self.add_contents(contents)
        for event in interactions:
            self.add(event)

    @classmethod
    def fit(
        cls,
        contents: Source | Iterable[Content],
        interactions: Source | Iterable[Interaction],
        *,
        tune_seconds: float = TUNE_SECONDS,
        settings: Settings | None = None,
        report: Report | None = None,
        progress: Course | None = None,
    ) -> Recommender:
        """Learns from two files (see :mod:`discern.recommendations.files`) or from rows.

        Args:
            tune_seconds: how long to search for settings if none are given.
            report: called with a line on what is being done.
            progress: called with the contents solved so far, and those to solve in all.

        Raises:
            EmptyInput: no interaction with a listed content.
            InvalidInput: a file that breaks its format; the message names the row.
        """
        listed = read_contents(contents) if isinstance(contents, str | Path) else contents
        events = list(
            read_interactions(interactions)
            if isinstance(interactions, str | Path)
            else interactions
        )
        fitted = fit(
            list(listed),
            events,
            tune_seconds=tune_seconds,
            settings=settings,
            report=report,
            progress=progress,
        )
        return cls(
            fitted.model,
            fitted.contents,
            words=fitted.words,
            interactions=events,
            report=fitted.report,
        )

    @classmethod
    def load(cls, folder: Source, interactions: Source | Iterable[Interaction] = ()) -> Recommender:
        """Reads a bundle; whose interactions shape lists is told anew, a bundle holds nobody's.

        Raises:
            BundleInvalid: the folder breaks its contract.
            DigestMismatch: a file of it was changed.
        """
        fitted, bundle = load_fitted(Path(folder))
        events = (
            read_interactions(interactions)
            if isinstance(interactions, str | Path)
            else interactions
        )
        return cls(
            fitted.model,
            fitted.contents,
            words=fitted.words,
            interactions=events,
            report=bundle.manifest.quality,
        )

    def save(self, folder: Source, *, name: str = "recommendations", version: str = "1") -> Path:
        """Writes the model as a bundle, whole or not at all; no person is in it."""
        contents = self.ranker.catalogue.contents()
        report = {key: float(value) for key, value in self.report.items()}
        fitted = Fitted(self._model, self._words, contents, report)
        return save_fitted(fitted, Path(folder), name=name, version=version)

    def recommend(
        self,
        person: str,
        n: int = 10,
        *,
        filters: Filters | None = None,
        diversity: float = 0.0,
        exploration: float = 0.1,
        day: int | None = None,
    ) -> list[Recommendation]:
        """The person's list, best first. Somebody unknown gets the popular. New contents take
        turns by ``day``, in days since 1970; that of the person's newest event if None."""
        events = self._histories.get(str(person), [])
        met = events[-MAX_SEEN:] if len(events) > MAX_EVENTS else []
        return self.ranker.recommend(
            RecommendationRequest(
                history=tuple(events[-MAX_EVENTS:]),
                seen=tuple({event.content for event in met}),
                n=n,
                filters=filters or Filters(),
                diversity=diversity,
                exploration=exploration,
                person=str(person),
                day=day,
            )
        )

    def similar(
        self, content: str, n: int = 10, *, filters: Filters | None = None
    ) -> list[Recommendation]:
        """Contents like this one, best first.

        Raises:
            NotFound: no such content.
        """
        return self.ranker.similar(str(content), n, filters)

    def title(self, content: str) -> str:
        """The content's title, or its id where it has none."""
        column = self.ranker.catalogue.column(content)
        known = self.ranker.catalogue.content(column) if column is not None else None
        return known.title or content if known is not None else content

    def why(self, line: Recommendation, person: str | None = None) -> str:
        """The reason as a person would say it. Named, a ``person`` is told whether they liked or
        only read what it follows from."""
        reason = line.reason
        if reason.kind == "because" and reason.content is not None:
            events = self._histories.get(str(person), ()) if person is not None else ()
            liked = any(event.liked for event in events if event.content == reason.content)
            verb = ("you liked" if liked else "you read") if events else "of"
            return f"because {verb} {self.title(reason.content)}"
        if reason.kind == "similar" and reason.content is not None:
            return f"goes with {self.title(reason.content)}"
        if reason.kind == "new":
            return f"new in {reason.category}" if reason.category else "new"
        return "popular"

    def add(self, event: Interaction) -> None:
        """Takes note of an interaction: the person's next list follows from it. Of each person
        the last :data:`~discern.recommendations.contract.MAX_SEEN` at least are kept."""
        events = self._histories.setdefault(event.person, [])
        events.append(event)
        if len(events) > 2 * MAX_SEEN:
            del events[:-MAX_SEEN]

    def withdraw(self, person: str, content: str) -> int:
        """Takes a person's likes and dislikes of a content back; that it was read stays, also
        where one event says both. Returns how many there were."""
        events = self._histories.get(str(person), [])
        kept: list[Interaction] = []
        gone = 0
        for event in events:
            if event.content != str(content) or not (event.liked or event.disliked):
                kept.append(event)
                continue
            gone += 1
            if event.view_time > 0:
                kept.append(replace(event, liked=False, disliked=False))
        events[:] = kept
        return gone

    def add_contents(self, contents: Iterable[Content]) -> None:
        """Adds or replaces contents; those the model does not know are suggested as new."""
        self.ranker.add_contents(contents)

    def erase(self, person: str) -> int:
        """Forgets a person's interactions here; returns how many there were. The next fit
        learns without them."""
        return len(self._histories.pop(str(person), []))


def fit(
    contents: Sequence[Content],
    interactions: Iterable[Interaction],
    *,
    tune_seconds: float = TUNE_SECONDS,
    settings: Settings | None = None,
    report: Report | None = None,
    progress: Course | None = None,
    last_event: int | None = None,
) -> Fitted:
    """Learns a model, and the report on it from people held out of a first fit.

    ``report`` is told in lines what is being done, in the search with the seconds left of it;
    ``progress`` the contents solved so far and in all, which are twice as many where people are
    held out. ``last_event`` is the number of the newest event of the log that ``interactions``
    were read from; a server goes on from there.

    Raises:
        EmptyInput: no interaction with a listed content.
    """
    say = report or (lambda _line: None)
    listed = check_contents(contents)
    ratings = from_interactions(interactions, [content.id for content in listed])
    if ratings.matrix.nnz == 0:
        raise EmptyInput("No interaction is with a listed content.", field="interactions")
    documents = [document(content) for content in listed]
    vocabulary = learn_words(documents)
    features = vocabulary.vectors(documents)
    started = time.perf_counter()
    quality: dict[str, float] = {}
    measured = ratings.matrix.shape[0] >= FEWEST_TO_TUNE
    passes = Passes(len(listed), 2 if measured else 1, progress)
    if measured:
        fold = people_fold(ratings.matrix)
        if settings is None:
            say(f"searching for settings, {tune_seconds:.0f} s at most")
            settings, _ = tune(
                fold,
                features,
                seconds=tune_seconds,
                report=with_time_left(say, time.perf_counter() + tune_seconds),
            )
        say("measuring on people held out")
        quality = _quality(fold, ratings, features, settings, passes)
    settings = settings or sized(Settings(), len(listed))
    say(f"learning {len(listed):,} contents from {ratings.matrix.nnz:,} interactions")
    with passes.one() as solved:
        model = fit_model(
            ratings.matrix,
            ratings.contents,
            settings=settings,
            features=features,
            progress=solved,
        )
    sizes = {
        "people": float(ratings.matrix.shape[0]),
        "contents": float(len(listed)),
        "interactions": float(ratings.matrix.nnz),
        "fit_seconds": time.perf_counter() - started,
    }
    if last_event is not None:
        sizes |= {"last_event": float(last_event), **asdict(Scales.of(ratings, settings))}
    words = Words(vocabulary, features, word_weights(features, ratings.matrix))
    if (peak := peak_memory_mb()) is not None:
        sizes["peak_memory_mb"] = peak
    return Fitted(model, words, tuple(listed), {**quality, **sizes})


def _quality(
    fold: Fold, ratings: Ratings, features: Any, settings: Settings, passes: Passes
) -> dict[str, float]:
    with passes.one() as solved:
        model = fit_model(
            fold.train,
            ratings.contents,
            settings=settings,
            features=features,
            progress=solved,
        )
    scorer = Scorer(model)
    figures = judge(scorer, fold.held_out)
    history = fold.held_out.history[:REPORT_PEOPLE]
    ranked = top_columns(scorer(history), history, 10)
    shown = np.bincount(ranked[ranked >= 0], minlength=model.size).astype(np.float64)
    return {**figures, "coverage@10": coverage(ranked, model.size), "gini@10": gini(shown)}


def save_fitted(fitted: Fitted, folder: Path, *, name: str, version: str) -> Path:
    """Writes a bundle: weights, what is known of the contents, and the words."""
    rows = [
        [c.id, c.title, c.text, c.category, list(c.tags), c.created_at, c.available]
        for c in fitted.contents
    ]
    more = {CONTENTS_FILE: {"rows": pack_words([_packed(row) for row in rows])}}
    if fitted.words is not None:
        more[WORDS_FILE] = {
            "words": pack_words(fitted.words.vocabulary.words),
            **fitted.words.arrays(),
        }
    return save_model(
        fitted.model, folder, name=name, version=version, quality=fitted.report, more_files=more
    )


def load_fitted(folder: Path) -> tuple[Fitted, Bundle]:
    """Reads what :func:`save_fitted` wrote.

    Raises:
        BundleInvalid: the folder breaks its contract.
        DigestMismatch: a file of it was changed.
    """
    model, bundle = load_model(folder)
    names = {file.path for file in bundle.manifest.files}
    contents: tuple[Content, ...] = ()
    words: Words | None = None
    try:
        if CONTENTS_FILE in names:
            packed = unpack_words(load_arrays(bundle.path(CONTENTS_FILE))["rows"])
            contents = tuple(map(_unpacked, packed))
        if WORDS_FILE in names:
            arrays = load_arrays(bundle.path(WORDS_FILE))
            words = Words.from_arrays(unpack_words(arrays["words"]), arrays, model.size)
    except (KeyError, ValueError, TypeError) as error:
        raise BundleInvalid(f"{folder.name}: its contents are damaged: {error}.") from error
    report = {key: float(value) for key, value in bundle.manifest.quality.items()}
    return Fitted(model, words, contents, report), bundle


def _packed(row: list[Any]) -> str:
    return json.dumps(row, ensure_ascii=False)


def _unpacked(text: str) -> Content:
    name, title, words, category, tags, created_at, available = json.loads(text)
    return Content(name, title, words, category, tuple(tags), created_at, available)
