"""Impressions go after their days are over, and no arm's figures change with them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from discern.web.jobs.registry import kind_named
from discern.web.recommendations import arm_totals, lists
from discern.web.recommendations.models import ArmTotal, Impression, Person

pytestmark = pytest.mark.django_db(transaction=True)

DAYS = 90
shown = st.lists(
    st.tuples(
        st.sampled_from(["", "trial"]),
        st.sampled_from(["", "one", "two"]),
        st.integers(0, 3 * DAYS),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
)


def _show(*, days: float, experiment: str = "", arm: str = "", clicked: bool = False) -> Impression:
    person, _ = Person.objects.get_or_create(external_id="anna")
    at = timezone.now() - timedelta(days=days)
    return Impression.objects.create(
        person=person,
        experiment=experiment,
        arm=arm,
        contents=["a"],
        model_name="m",
        model_version="1",
        created_at=at,
        clicked_at=at if clicked else None,
    )


def _arms() -> list[object]:
    return [lists.compare_arms(experiment=name) for name in ("", "trial")]


@given(rows=shown, parts=st.integers(1, 4))
@hypothesis_settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_an_arms_figures_are_the_same_before_and_after_the_old_ones_went(
    rows: list[tuple[str, str, int, bool, bool]], parts: int
) -> None:
    Impression.objects.all().delete()
    ArmTotal.objects.all().delete()
    for experiment, arm, days, clicked, liked in rows:
        row = _show(days=days + 0.5, experiment=experiment, arm=arm, clicked=clicked or liked)
        if liked:
            Impression.objects.filter(pk=row.pk).update(liked_at=timezone.now())
    before = _arms()
    for part in range(parts, 0, -1):  # as days go by
        arm_totals.purge(timezone.now() - timedelta(days=part - 1))
        assert _arms() == before
    assert Impression.objects.count() == sum(days < DAYS for _, _, days, _, _ in rows)
    assert settings.IMPRESSION_DAYS == DAYS


def test_a_worker_lets_go_of_them_and_several_at_once_count_none_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arm_totals, "AT_ONCE", 7)
    for _ in range(60):
        _show(days=DAYS + 1, experiment="trial", arm="one", clicked=True)
    kept = _show(days=DAYS - 1, experiment="trial", arm="one")
    tidy = kind_named("learning").tidy
    assert tidy is not None

    def one(_: int) -> int:
        try:
            return sum(tidy().values())
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as several:
        gone = list(several.map(one, range(3)))
    assert sum(gone) == 60
    assert list(Impression.objects.values_list("pk", flat=True)) == [kept.pk]
    assert arm_totals.counts_by_arm(experiment="trial") == {"one": (61, 60, 0)}
    assert ArmTotal.objects.count() == 1


def test_one_that_an_erasure_holds_keeps_nobody_from_the_others() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, for whom others wait")
    held, *_ = [_show(days=DAYS + 9 - i, experiment="trial", arm="one") for i in range(5)]
    holds, end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Impression.objects.select_for_update().get(pk=held.pk)
                holds.set()
                assert end.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert holds.wait(20)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        try:
            assert arm_totals.purge() == {"old impressions": 4}
        finally:
            end.set()
            connection.close()
        holding.result()
    assert arm_totals.purge() == {"old impressions": 1}
    assert lists.compare_arms(experiment="trial")[0]["impressions"] == 5
