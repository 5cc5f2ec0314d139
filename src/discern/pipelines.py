"""``pipeline(task)``: the calls and answers of the transformers pipelines, on Discern's engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from discern.engine.interface import SENTIMENT_TASK, Engine
from discern.errors import DeadlineExceeded, InvalidInput, ModelNotFound, Unavailable
from discern.text.calls import timely_calls
from discern.text.contract import Sentiment
from discern.vision.contract import DETECTION_TASK

_UNSET: Final[Any] = object()
_NO_EFFECT: Final = frozenset(
    {"batch_size", "device", "device_map", "dtype", "framework", "max_length", "num_workers",
     "padding", "tokenizer", "torch_dtype", "truncation", "use_fast"}
)  # fmt: skip
TASKS: Final = ("sentiment-analysis", "text-classification", "object-detection")


def pipeline(
    task: str, model: str | None = None, *, engine: Engine | None = None, **options: Any
) -> Any:
    """Makes a callable that answers as the transformers pipeline of that name does.

    Args:
        task: ``sentiment-analysis`` (or ``text-classification``), or ``object-detection``.
        model: a model of the catalog by name; the task's active one if None.
        engine: where to run it; models in this process if None.
        options: ``top_k`` for sentiment, ``threshold`` for detection. Options of the original
            that only tune its runtime (``device``, ``batch_size``, ``truncation``, ...) are
            accepted and have no effect: long texts are read whole, and batching is automatic.

    Raises:
        InvalidInput: an unknown task or option.
        ModelNotFound: no such model of that task; found out here without loading any, and only
            at the first call where a remote ``engine`` does not answer yet.
    """
    if task in ("sentiment-analysis", "text-classification"):
        settings = _known(options, "top_k")
        chosen = _engine_with(model, SENTIMENT_TASK, engine)
        return SentimentPipeline(chosen, model, **settings)
    if task == "object-detection":
        from discern.vision.pipeline import object_detection

        settings = _known(options, "threshold")
        chosen = _engine_with(model, DETECTION_TASK, engine)
        return object_detection(chosen, model, pull=engine is None, **settings)
    raise InvalidInput(f"'{task}' is not a task here; use one of {', '.join(TASKS)}.", field="task")


class SentimentPipeline:
    """The mood of a text, a list of texts or an iterator of texts.

    Labels are in capitals (``POSITIVE``), as those of the original's default model are, so code
    that compares them goes on working; ``NEUTRAL`` is new to it.
    """

    task = "sentiment-analysis"

    def __init__(self, engine: Engine, model: str | None = None, *, top_k: Any = _UNSET) -> None:
        self._engine = engine
        self._model = model
        self._top_k = top_k if top_k is _UNSET else _check_top_k(top_k)

    def __call__(self, inputs: Any, *, top_k: Any = _UNSET, **options: Any) -> Any:
        """Answers as the original does.

        A text gives ``[{"label", "score"}]``; a list of texts a list of such dicts; an iterator
        an iterator of them. With ``top_k`` (None means all) each text has a list of dicts, best
        first; where ``top_k`` was given to :func:`pipeline` and not to the call, the answer to a
        single text is wrapped in one more list, as the original's is.

        Raises:
            InvalidInput, EmptyInput, TooLarge: the input cannot be read as texts.
        """
        _known(options)
        chosen = self._top_k if top_k is _UNSET else _check_top_k(top_k)
        if isinstance(inputs, str | Mapping):
            [answer] = self._run([_text(inputs)], chosen)
            return [answer] if top_k is _UNSET else answer
        if isinstance(inputs, list | tuple):
            return self._run([_text(item) for item in inputs], chosen)
        if isinstance(inputs, Iterable) and not isinstance(inputs, bytes | bytearray | memoryview):
            return self._stream(iter(inputs), chosen)
        raise InvalidInput("Give a text, a list of texts or an iterator of texts.", field="inputs")

    def _stream(self, inputs: Iterator[Any], top_k: Any) -> Iterator[Any]:
        for item in inputs:
            yield from self._run([_text(item)], top_k)

    def _run(self, texts: list[Any], top_k: Any) -> list[Any]:
        answers: list[Any] = []
        for part in timely_calls(texts, _chars):
            results = self._engine.analyze(part, model=self._model)
            answers.extend(_answer(result, top_k) for result in results)
        return answers


def _chars(text: Any) -> int:
    # The engine says what is wrong with what is no text.
    return len(text) if isinstance(text, str) else 0


def _answer(result: Sentiment, top_k: Any) -> Any:
    if top_k is _UNSET:
        return {"label": result.label.upper(), "score": result.score}
    ranked = sorted(result.scores.items(), key=lambda pair: -pair[1])
    return [{"label": label.upper(), "score": score} for label, score in ranked[:top_k]]


def _text(item: Any) -> Any:
    return item.get("text") if isinstance(item, Mapping) else item


def _check_top_k(top_k: Any) -> int | None:
    if top_k is None or (isinstance(top_k, int) and not isinstance(top_k, bool) and top_k >= 1):
        return top_k
    raise InvalidInput("'top_k' must be a whole number of 1 or more, or None.", field="top_k")


def _known(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in options:
        if name not in names and name not in _NO_EFFECT:
            raise InvalidInput(f"'{name}' is not an option of this pipeline.", field=name)
    return {name: value for name, value in options.items() if name in names}


def _engine_with(model: str | None, task: str, engine: Engine | None) -> Engine:
    """The engine, this process's own if None, once it is known to have that model."""
    engine = engine or _local_engine()
    if model is None:
        return engine
    try:
        known = sorted({info.name for info in engine.models() if info.task == task})
    except (Unavailable, DeadlineExceeded):
        return engine  # a program may start before its model server does
    if model not in known:
        names = ", ".join(known) or "none"
        raise ModelNotFound(
            f"There is no model '{model}' for '{task}'; known: {names}.", field="model"
        )
    return engine


_engines: dict[str, Engine] = {}


def _local_engine() -> Engine:
    # One engine for all pipelines of a process: each would load the same models again.
    if "local" not in _engines:
        from discern.engine.local import LocalEngine

        _engines["local"] = LocalEngine()
    return _engines["local"]
