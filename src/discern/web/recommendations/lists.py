"""Makes lists: asks the engine, falls back on lists made ahead, logs what was shown, compares."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from discern.errors import DeadlineExceeded, ModelNotFound, Unavailable
from discern.recommendations.arms import Arm, assign, rate
from discern.recommendations.contract import (
    Filters,
    Reason,
    Recommendation,
    RecommendationList,
    RecommendationRequest,
    check_request,
)
from discern.web.engine import get_engine
from discern.web.recommendations.arm_totals import counts_by_arm
from discern.web.recommendations.contents import Label, labels_by_id
from discern.web.recommendations.fallbacks import beside, newest, without_model
from discern.web.recommendations.impressions import note_impression
from discern.web.recommendations.interactions import history_of, met_by
from discern.web.recommendations.models import Content, Impression, Person, PrecomputedList
from discern.web.recommendations.numbers import listed

PRECOMPUTED_LENGTH: Final = 50
PEOPLE_AT_ONCE: Final = 500
EPOCH: Final = date(1970, 1, 1).toordinal()
RANKED_BY: Final = ("diversity", "exploration")
"""What an arm may decide of how a list is ranked, besides the model."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A list as a page shows it. ``source`` is ``model``, ``precomputed`` or ``newest``."""

    lines: list[tuple[Label, Recommendation, str]]
    source: str
    model_name: str
    model_version: str
    arm: str = ""
    impression: UUID | None = None


def recommend(
    *,
    person: Person | None,
    n: int,
    filters: Filters,
    diversity: float = 0.0,
    exploration: float = 0.1,
    experiment: str = "",
) -> Shown:
    """The person's list; what they did a moment ago counts already. With an ``experiment`` of
    ``settings.RECOMMENDATION_EXPERIMENTS`` the person's arm decides how it is ranked, and by
    which model.

    While the model server is away the list made ahead answers. Before the first fit, and where the
    list made ahead holds too little, the newest contents do. Neither is the arm's, so neither
    counts for it.
    """
    arm, options = _arm(person, experiment)
    chosen = {"diversity": diversity, "exploration": exploration}
    chosen |= {name: float(options[name]) for name in RANKED_BY if name in options}
    model = str(options["model"]) if "model" in options else None
    request = check_request(_request(person, n=n, filters=filters, **chosen))
    source = "model"
    try:
        found, arm = _ranked(request, model, arm)
    except ModelNotFound:
        found, source, arm = newest(request, person), "newest", ""
    except (Unavailable, DeadlineExceeded):
        (found, source), arm = without_model(request, person), ""
    liked = {event.content for event in request.history if event.liked}
    listed(source, unknown=not request.history)
    return _shown(found, source, person=person, liked=liked, experiment=experiment, arm=arm)


def similar(*, content: Content, n: int, filters: Filters) -> Shown:
    """Contents that go with one; before the first fit, and while the model server is away, the
    newest of its category."""
    request = check_request(RecommendationRequest(n=n, filters=filters))
    source = "model"
    try:
        found = get_engine().similar_contents(
            content.external_id,
            n=n,
            filters=filters,
            deadline_s=settings.MODEL_SERVER_TIMEOUT_S,
        )
    except (ModelNotFound, Unavailable, DeadlineExceeded):
        found, source = newest(beside(content, request)), "newest"
    return _shown(found, source, person=None)


def precompute(*, people: Sequence[Person] | None = None) -> int:
    """Makes lists ahead for everyone (or ``people``); returns how many.

    Raises:
        ModelNotFound: nothing was fitted yet. Unavailable, DeadlineExceeded: the model server is
            away; lists made before it went stay.
    """
    if people is not None:
        return _precompute(people)
    # By parts, so that no cursor stays open on the database while the model server is asked.
    count, last = 0, 0
    while part := list(Person.objects.filter(pk__gt=last).order_by("pk")[:PEOPLE_AT_ONCE]):
        count += _precompute(part)
        last = part[-1].pk
    return count


def _precompute(people: Sequence[Person]) -> int:
    for person in people:
        request = _request(person, n=PRECOMPUTED_LENGTH)
        found = get_engine().recommend(request, deadline_s=settings.MODEL_SERVER_TIMEOUT_S)
        PrecomputedList.objects.update_or_create(
            person=person,
            defaults={
                "items": [asdict(item) for item in found.items],
                "model_name": found.model_name,
                "model_version": found.model_version,
                "created_at": timezone.now(),
            },
        )
    return len(people)


def compare_arms(*, experiment: str) -> list[dict[str, Any]]:
    """For each arm its impressions, also those too old to be kept, and click and like rates with
    95 % intervals."""
    counts = counts_by_arm(experiment=experiment)
    return [
        {
            "arm": arm,
            "impressions": shown,
            "clicks": asdict(rate(clicked, shown)),
            "likes": asdict(rate(liked, shown)),
        }
        for arm, (shown, clicked, liked) in sorted(counts.items())
    ]


def why(reason: Reason, titles: Mapping[str, Label | Content], liked: Collection[str] = ()) -> str:
    """The reason as a person would say it; what is not among the ``liked`` was only read."""
    if reason.kind in ("because", "similar") and reason.content is not None:
        known = titles.get(reason.content)
        name = str(known) if known is not None else reason.content
        if reason.kind == "similar":
            return f"goes with {name}"
        return f"because you {'liked' if reason.content in liked else 'read'} {name}"
    if reason.kind == "new":
        return f"new in {reason.category}" if reason.category else "new"
    return "popular"


def _shown(
    found: RecommendationList,
    source: str,
    *,
    person: Person | None,
    liked: Collection[str] = (),
    experiment: str = "",
    arm: str = "",
) -> Shown:
    named = [item.content for item in found.items]
    reasons = [item.reason.content for item in found.items if item.reason.content]
    contents = labels_by_id([*named, *reasons])
    lines = [
        (contents[item.content], item, why(item.reason, contents, liked))
        for item in found.items
        if item.content in contents
    ]
    impression = None
    if person is not None:
        row = Impression(
            person=person,
            experiment=experiment if arm else "",
            arm=arm,
            contents=[content.external_id for content, _, _ in lines],
            model_name=found.model_name,
            model_version=found.model_version,
        )
        # Whoever is erased while their list is made has it, and nothing is kept of it.
        with suppress(IntegrityError):
            note_impression(row)
            impression = row.pk
    return Shown(lines, source, found.model_name, found.model_version, arm, impression)


def _request(person: Person | None, **wanted: Any) -> RecommendationRequest:
    history = history_of(person=person)
    seen = met_by(person=person, history=history)
    name = person.external_id if person is not None else ""
    day = timezone.now().toordinal() - EPOCH
    return RecommendationRequest(history=history, seen=seen, person=name, day=day, **wanted)


def _ranked(
    request: RecommendationRequest, model: str | None, arm: str
) -> tuple[RecommendationList, str]:
    """The list, and the arm it is of: none where the arm's own model is not there."""
    deadline_s = settings.MODEL_SERVER_TIMEOUT_S
    try:
        return get_engine().recommend(request, model=model, deadline_s=deadline_s), arm
    except ModelNotFound:
        if model is None:
            raise
        _log.warning("the arm '%s' names the model '%s', which is not there", arm, model)
        return get_engine().recommend(request, deadline_s=deadline_s), ""


def _arm(person: Person | None, experiment: str) -> tuple[str, Mapping[str, Any]]:
    arms: Mapping[str, Mapping[str, Any]] = settings.RECOMMENDATION_EXPERIMENTS.get(experiment, {})
    if person is None or not arms:
        return "", {}
    chosen = assign(
        person.external_id,
        experiment,
        [Arm(name, float(options.get("share", 1.0))) for name, options in arms.items()],
    )
    return chosen.name, arms[chosen.name]
