"""Fits in a process of its own: a worker keeps no numpy, and a crash costs only the fit."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any, Final

from discern.errors import InferenceFailed, error_from_dict
from discern.web.jobs.work import Work
from discern.web.recommendations.models import LearningJob

LOOK_EVERY_S: Final = 0.5
STOP_WITHIN_S: Final = 10.0
STAGE_CHARS: Final = 200


def fit_beside(work: Work[LearningJob]) -> Mapping[str, Any]:
    """Runs ``fit_recommendations`` and tells the row what it is doing.

    Raises:
        DiscernError: what the fit raised, or that its process died. The present model answers on.
    """
    with work.fenced(progress_done=0, progress_total=None):
        pass  # an earlier try may have come further than this one is
    seconds = str(work.job.tune_seconds)
    command = [sys.executable, "-m", "discern.web", "fit_recommendations"]
    with subprocess.Popen(
        [*command, "--tune-seconds", seconds, "--supervised"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A host project's settings lie where its manage.py is, which need not be this folder.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
    ) as process:
        try:
            result = _listen(work, _lines_of(process.stdout))
        except BaseException:
            process.terminate()
            raise
        finally:
            _see_it_end(process)
    if result is None:
        raise InferenceFailed(f"The fit's process ended with status {process.returncode}.")
    if "error" in result:
        raise error_from_dict(result["error"])
    return {"version": result["version"], "report": result["report"], "stage": "done"}


def _listen(
    work: Work[LearningJob], lines: queue.SimpleQueue[dict[str, Any] | None]
) -> dict[str, Any] | None:
    """The last word of the process, None if it went without one."""
    while True:
        work.check()
        try:
            said = lines.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            continue
        columns = _columns_of(said)
        if not columns:
            return said
        with work.fenced(**columns):
            pass


def _columns_of(said: dict[str, Any] | None) -> dict[str, Any]:
    """What to note of a line on the way; nothing of the last word."""
    if said is not None and "stage" in said:
        return {"stage": str(said["stage"])[:STAGE_CHARS]}
    if said is not None and "solved" in said:
        # Not the work's own progress, which clears the count of attempts: a fit begins anew each
        # time, and one that kills its worker would be tried for ever.
        return {"progress_done": said["solved"], "progress_total": said["of"]}
    return {}


def _lines_of(stream: IO[str] | None) -> queue.SimpleQueue[dict[str, Any] | None]:
    lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def copy() -> None:
        for line in stream or ():
            if line.startswith("{"):
                lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=copy, name="fit", daemon=True).start()
    return lines


def _see_it_end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
