"""Lists that people were shown: how each arm's did, and letting go of the old ones."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, F, Q
from django.utils import timezone

from discern.web.recommendations.models import ArmTotal, Impression

AT_ONCE: Final = 2_000
"""How many go in one transaction: whoever wants to write must not wait for long."""

Counts = tuple[int, int, int]
"""Shown, clicked and liked."""

_OLD: Final = (
    "DELETE FROM recommend_impression WHERE id IN (SELECT id FROM recommend_impression "
    "WHERE created_at < %s ORDER BY created_at LIMIT %s{}) "
    "RETURNING experiment, arm, clicked_at, liked_at"
)


def counts_by_arm(*, experiment: str) -> dict[str, Counts]:
    """What is counted of each arm of an experiment, with what is no longer kept."""
    kept = (
        Impression.objects.filter(experiment=experiment)
        .values_list("arm")
        .annotate(
            shown=Count("pk"),
            clicked=Count("pk", filter=Q(clicked_at__isnull=False)),
            liked=Count("pk", filter=Q(liked_at__isnull=False)),
        )
    )
    gone = ArmTotal.objects.filter(experiment=experiment)
    found: dict[str, Counts] = {}
    # One statement, so that none is in both or in neither while a worker lets go of some.
    for arm, *counts in kept.union(gone.values_list("arm", "shown", "clicked", "liked"), all=True):
        found[arm] = _sum(found.get(arm, (0, 0, 0)), (counts[0], counts[1], counts[2]))
    return found


def purge(now: datetime | None = None) -> dict[str, int]:
    """Deletes the impressions older than ``settings.IMPRESSION_DAYS`` and adds them to their arms'
    totals. Returns how many. Any number of workers may at once: each row is deleted by one."""
    before = (now or timezone.now()) - timedelta(days=settings.IMPRESSION_DAYS)
    count = 0
    while gone := _purge_some(before):
        count += gone
    return {"old impressions": count}


def _purge_some(before: datetime) -> int:
    totals: dict[tuple[str, str], Counts] = defaultdict(lambda: (0, 0, 0))
    with transaction.atomic():
        with connection.cursor() as cursor:
            moment = Impression._meta.get_field("created_at").get_db_prep_value(before, connection)
            # Whoever else has one locked deletes it, or notes something for the next round: to wait
            # for each other, in other orders, could leave both waiting.
            skip = connection.features.has_select_for_update_skip_locked
            skipped = " FOR UPDATE SKIP LOCKED" if skip else ""
            cursor.execute(_OLD.format(skipped), [moment, AT_ONCE])
            rows = cursor.fetchall()
        for experiment, arm, clicked, liked in rows:
            place = (experiment, arm)
            totals[place] = _sum(
                totals[place], (1, int(clicked is not None), int(liked is not None))
            )
        for (experiment, arm), (shown, clicked, liked) in sorted(totals.items()):
            total, _ = ArmTotal.objects.get_or_create(experiment=experiment, arm=arm)
            ArmTotal.objects.filter(pk=total.pk).update(
                shown=F("shown") + shown, clicked=F("clicked") + clicked, liked=F("liked") + liked
            )
    return len(rows)


def _sum(one: Counts, other: Counts) -> Counts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]
