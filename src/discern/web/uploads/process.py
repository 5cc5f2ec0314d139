"""What a worker does with a picture: clean it, find objects and text, read the text's mood.

It may run again for the same row after any crash. Files have names made from the row's id and are
written over, and the row changes only while this worker holds its lease.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from discern.errors import Cancelled, DiscernError, MissingExtra, ModelNotFound, ModelNotReady
from discern.text.contract import MAX_TEXT_CHARS
from discern.vision.images import sanitize_with_thumbnail
from discern.web.engine import get_engine
from discern.web.jobs.models import State
from discern.web.jobs.work import LeaseLost, Work
from discern.web.uploads import storing
from discern.web.uploads.models import Upload, folded, folder_of

THUMBNAIL_SIDE: Final = 400
DEADLINE_S: Final = 60.0
MIN_LETTERS: Final = 2
_NOT_INSTALLED: Final = (ModelNotFound, MissingExtra)


def process(work: Work[Upload]) -> Mapping[str, Any] | None:
    """Handles one claimed row; see :data:`discern.web.jobs.registry.Handler`."""
    try:
        picture = _cleaned(work)
        run = {
            "objects": functools.partial(_objects, picture),
            "text": functools.partial(_text, picture),
            "mood": functools.partial(_mood, work.job),
        }
        columns: dict[str, Any] = {}
        for name in work.job.steps[1:]:
            # What the last step finds is stored by the write that says the row is done.
            if columns:
                with work.fenced(**columns):
                    pass
            work.check()
            columns = _step(work, name, run[name])
    except LeaseLost:
        _forget_if_deleted(work.job)
        raise
    storing.remove([work.job.original])
    return {**columns, "original": ""}


def _cleaned(work: Work[Upload]) -> bytes:
    row = work.job
    if row.picture:
        return storing.read(row.picture)
    original = storing.read(row.original)
    clean, thumbnail = sanitize_with_thumbnail(original, thumbnail_side=THUMBNAIL_SIDE)
    folder = folder_of(row.pk)
    columns = {
        "picture": storing.write(str(folder / "picture"), clean.data),
        "thumbnail": storing.write(str(folder / "thumbnail"), thumbnail.data),
        "picture_media_type": clean.media_type,
        "width": clean.width,
        "height": clean.height,
        **_progress(work, 1),
    }
    with work.fenced(**columns):
        pass
    return clean.data


def _step(work: Work[Upload], name: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Runs one step and returns the columns that store its result, none if it was done before; a
    step whose model is not installed is noted."""
    done = work.job.steps.index(name) + 1
    if work.job.progress_done >= done and name not in work.job.notes:
        return {}
    notes = {step: note for step, note in work.job.notes.items() if step != name}
    try:
        columns = run()
    except DiscernError as error:
        if not _will_not_change(error):
            raise
        columns = {}
        notes[name] = {"code": error.code, "message": error.message}
    # The mood is made from the text, so it follows a text that is read later; objects stand alone.
    reached = done if name == "text" else max(done, work.job.progress_done)
    return {**columns, "notes": notes, **_progress(work, reached)}


def _progress(work: Work[Upload], done: int) -> dict[str, Any]:
    # Attempts stay counted from step to step: a picture that kills its worker in a late step has
    # made progress each time, and is poison all the same.
    columns = work.progress(done, len(work.job.steps))
    columns.pop("attempts")
    return columns


def _will_not_change(error: DiscernError) -> bool:
    if isinstance(error, ModelNotReady):
        return error.retry_after_s is None  # a model that is still loading says when to ask again
    return isinstance(error, _NOT_INSTALLED)


def _objects(picture: bytes) -> dict[str, Any]:
    found = get_engine().detect_objects(picture, deadline_s=DEADLINE_S)
    labels = sorted({folded(item.label) for item in found.objects})
    return {
        "objects_found": found.to_dict(),
        "labels": "".join(f"|{label}" for label in labels) + "|",
    }


def _text(picture: bytes) -> dict[str, Any]:
    return {"text_found": get_engine().read_text(picture, deadline_s=DEADLINE_S).to_dict()}


def _mood(row: Upload) -> dict[str, Any]:
    text = (row.text_found or {}).get("text", "")[:MAX_TEXT_CHARS]
    if sum(char.isalpha() for char in text) < MIN_LETTERS:
        return {"mood": None}
    [mood] = get_engine().analyze([text], deadline_s=DEADLINE_S)
    return {
        "mood": {
            "label": mood.label,
            "score": mood.score,
            "scores": dict(mood.scores),
            "model": {"name": mood.model_name, "version": mood.model_version},
        }
    }


def _forget_if_deleted(row: Upload) -> None:
    if not Upload._default_manager.filter(pk=row.pk).exists():
        folder = folder_of(row.pk)
        storing.remove([row.original, str(folder / "picture"), str(folder / "thumbnail")])


def explain(row: Upload) -> str:
    """For a person: what happened, that the picture was kept, and what to do."""
    happened = row.error_message
    if row.state == State.DEAD:
        happened = "Its worker stopped each time it worked on this picture."
    elif row.state == State.FAILED and row.error_code == Cancelled.code:
        happened = "It was stopped before it was done."
    return f"{happened} It is kept until you delete it; you can retry."
