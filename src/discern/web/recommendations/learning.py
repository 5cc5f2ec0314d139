"""Fits a model on everything that is stored, and lets it answer."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from discern.catalog.store import Store
from discern.web.environment import load_environment
from discern.web.recommendations import mirrors

MODEL_NAME: Final = "recommendations"


def fit(
    *,
    tune_seconds: float,
    report: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, Mapping[str, float]]:
    """Learns, installs and activates; returns the version and the report. Whatever fails, the
    present model goes on answering. ``progress`` is told the contents solved, and those to solve.

    Raises:
        EmptyInput: no interactions yet.
        MissingExtra: scipy and scikit-learn are not installed.
    """
    from discern.errors import MissingExtra

    try:
        from discern.recommendations.recommender import fit as learn
        from discern.recommendations.recommender import save_fitted
    except ImportError as error:
        raise MissingExtra(
            "Fitting needs scipy and scikit-learn: pip install 'discern[recommendations]'."
        ) from error
    mirrors.mirror_everything()
    library = mirrors.library()
    last_event = library.events.last_number()
    fitted = learn(
        library.contents(),
        library.interactions(until=last_event),
        tune_seconds=tune_seconds,
        report=report,
        progress=progress,
        last_event=last_event,
    )
    version = time.strftime("%Y%m%d.%H%M%S", time.gmtime())
    store = Store(load_environment().home.expanduser())
    with tempfile.TemporaryDirectory() as folder:
        new = save_fitted(fitted, Path(folder) / "new", name=MODEL_NAME, version=version)
        store.install(new)
    store.activate(MODEL_NAME, version)
    library.events.drop_marks(last_event)
    return version, fitted.report
