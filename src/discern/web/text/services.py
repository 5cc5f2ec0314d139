"""Decides about texts sent one request at a time: their mood, its record, and feedback on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from discern.errors import EmptyInput, InvalidInput, NotFound, TooLarge
from discern.text.contract import TIMELY_CHARS, Sentiment, check_text, check_texts
from discern.web.accounts.models import User
from discern.web.engine import get_engine
from discern.web.text.models import Analysis

MAX_TEXTS: Final = 256
"""The most texts in one request; files of texts have a way of their own."""

MAX_CALL_CHARS: Final = TIMELY_CHARS
"""The most characters in one call of the engine, over all its texts."""

MAX_COMMENT_CHARS: Final = 2_000


def read_texts(given: Mapping[str, object]) -> list[str]:
    """The texts of a request that has a ``text`` or ``texts``, checked; null is a value here, and
    a wrong one, as at the model server.

    Raises:
        InvalidInput, EmptyInput, TooLarge: naming the item and the limit.
    """
    if "text" in given and "texts" in given:
        raise InvalidInput("Give either 'text' or 'texts', not both.", field="texts")
    if "text" in given:
        return [check_text(given["text"])]
    if "texts" not in given:
        raise EmptyInput("Give 'text' or 'texts'.", field="text")
    texts = given["texts"]
    if isinstance(texts, list) and len(texts) > MAX_TEXTS:
        raise TooLarge(
            f"'texts' holds {len(texts):,} texts; the limit is {MAX_TEXTS}. Send larger amounts "
            "as a file to /api/v1/text-jobs.",
            field="texts",
            limit=MAX_TEXTS,
        )
    if isinstance(texts, list):
        _check_total(texts)
    return check_texts(texts)


def _check_total(texts: list[object]) -> None:
    total = sum(len(text) for text in texts if isinstance(text, str))
    if total <= MAX_CALL_CHARS:
        return
    for index, text in enumerate(texts):
        check_text(text, field=f"texts[{index}]")
    raise TooLarge(
        f"'texts' holds {total:,} characters in all; the limit is {MAX_CALL_CHARS:,}. Send larger "
        "amounts as a file to /api/v1/text-jobs.",
        field="texts",
        limit=MAX_CALL_CHARS,
    )


def analyze(*, texts: Sequence[str], model: str | None = None) -> list[Sentiment]:
    """The mood of each text, in order.

    Raises:
        DiscernError: whatever the engine raises.
    """
    return get_engine().analyze(texts, model=model, deadline_s=settings.MODEL_SERVER_TIMEOUT_S)


def record(*, owner: User, texts: Sequence[str], moods: Sequence[Sentiment]) -> list[Analysis]:
    """Stores texts with their moods, as ``owner``'s."""
    now = timezone.now()
    rows = [
        Analysis(
            owner=owner,
            # PostgreSQL stores every character but this one.
            text=text.replace("\x00", "\ufffd"),
            label=mood.label,
            score=mood.score,
            scores=dict(mood.scores),
            windows=mood.windows,
            model_name=mood.model_name,
            model_version=mood.model_version,
            created_at=now,
        )
        for text, mood in zip(texts, moods, strict=True)
    ]
    return Analysis.objects.bulk_create(rows)


def analyses_of(*, owner: User, label: str | None = None) -> QuerySet[Analysis]:
    """What ``owner`` recorded, with one ``label`` if given."""
    found = Analysis.objects.filter(owner=owner)
    return found.filter(label=label) if label else found


def analysis_of(*, owner: User, analysis_id: UUID) -> Analysis:
    """One analysis; NotFound when it is not there or another person's."""
    found = Analysis.objects.filter(owner=owner, pk=analysis_id).first()
    if found is None:
        raise NotFound("You have no such analysis.")
    return found


def delete_analysis(*, owner: User, analysis_id: UUID) -> None:
    """Deletes one analysis for good; NotFound as above."""
    analysis_of(owner=owner, analysis_id=analysis_id).delete()


def delete_analyses(*, owner: User) -> None:
    """Deletes everything that ``owner`` recorded."""
    Analysis.objects.filter(owner=owner).delete()


def give_feedback(*, owner: User, analysis_id: UUID, label: str, comment: str = "") -> Analysis:
    """Notes which label would have been right; giving it again replaces it.

    Raises:
        NotFound: as above.
        InvalidInput: the label is not one of the model's.
        TooLarge: a comment over :data:`MAX_COMMENT_CHARS` characters.
    """
    analysis = analysis_of(owner=owner, analysis_id=analysis_id)
    if label not in analysis.scores:
        names = ", ".join(analysis.scores)
        raise InvalidInput(f"'label' must be one of {names}.", field="label")
    if len(comment) > MAX_COMMENT_CHARS:
        raise TooLarge(
            f"'comment' may have {MAX_COMMENT_CHARS:,} characters.",
            field="comment",
            limit=MAX_COMMENT_CHARS,
        )
    analysis.right_label = label
    analysis.feedback_comment = comment.replace("\x00", "\ufffd")
    analysis.feedback_at = timezone.now()
    analysis.save(update_fields=["right_label", "feedback_comment", "feedback_at"])
    return analysis
