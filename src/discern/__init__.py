"""Discern: sentiment, recommendations and vision for web applications, self-hosted.

Importing this package loads nothing heavy; each name is fetched when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "pipeline"]

if TYPE_CHECKING:
    from discern.pipelines import pipeline


def __getattr__(name: str) -> Any:
    if name == "pipeline":
        from discern.pipelines import pipeline

        return pipeline
    raise AttributeError(f"module 'discern' has no attribute {name!r}")
