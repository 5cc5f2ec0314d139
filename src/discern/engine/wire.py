"""The JSON between a remote engine and a model server, written and read in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from discern.text.contract import Sentiment

DEADLINE_HEADER: Final = "Discern-Deadline-S"
"""Seconds the caller goes on waiting, as a decimal number."""


def sentiment_to_wire(moods: Sequence[Sentiment]) -> dict[str, Any]:
    """``{"model": {name, version}, "results": [...]}``; ``moods`` are of one model, 1 or more."""
    return {
        "model": {"name": moods[0].model_name, "version": moods[0].model_version},
        "results": [
            {
                "label": mood.label,
                "score": mood.score,
                "scores": mood.scores,
                "windows": mood.windows,
                "tokens": mood.tokens,
            }
            for mood in moods
        ],
    }


def sentiment_from_wire(data: Mapping[str, Any]) -> list[Sentiment]:
    """The inverse.

    Raises:
        KeyError, TypeError, ValueError: the data are not that shape.
    """
    name, version = str(data["model"]["name"]), str(data["model"]["version"])
    return [
        Sentiment(
            label=str(item["label"]),
            score=float(item["score"]),
            scores={str(label): float(score) for label, score in item["scores"].items()},
            windows=int(item["windows"]),
            tokens=int(item["tokens"]),
            model_name=name,
            model_version=version,
        )
        for item in data["results"]
    ]
