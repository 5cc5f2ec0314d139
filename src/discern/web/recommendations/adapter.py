"""For Django sites with a content model of their own: keep it, and let this follow it.

``connect(Article, to_content)`` in an ``AppConfig.ready`` mirrors every save and delete;
:func:`get_recommendations` is the drop-in for a function of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db.models import Model
from django.db.models.signals import post_delete, post_save

from discern.errors import NotFound
from discern.recommendations import contract
from discern.recommendations.contract import Filters
from discern.web.recommendations import lists
from discern.web.recommendations.contents import delete_content, put_contents
from discern.web.recommendations.models import Person

M = TypeVar("M", bound=Model)


def get_recommendations(user_id: object, n: int = 10) -> list[str]:
    """The ids of what the person would like next, best first. Somebody unknown gets the popular;
    while nothing was fitted yet, the newest."""
    name = contract.check_id(str(user_id), field="user_id")
    person = Person.objects.filter(external_id=name).first()
    shown = lists.recommend(person=person, n=contract.check_count(n), filters=Filters())
    return [content.external_id for content, _, _ in shown.lines]


def in_order(model: type[M], ids: list[str], *, field: str = "pk") -> list[M]:
    """Rows of your own model in the order of a list, which ``filter(pk__in=...)`` would lose."""
    rows = {
        str(getattr(row, field)): row
        for row in model._default_manager.filter(**{f"{field}__in": ids})
    }
    return [rows[name] for name in ids if name in rows]


def connect(model: type[M], to_content: Callable[[M], contract.Content]) -> None:
    """Mirrors saves and deletes of ``model``; ``to_content`` says what to suggest of a row."""

    def saved(instance: M, raw: bool = False, **_: Any) -> None:
        if not raw:
            put_contents(contents=[to_content(instance)])

    def deleted(instance: M, **_: Any) -> None:
        content = to_content(instance)
        try:
            delete_content(external_id=content.id)
        except NotFound:
            return

    label = f"discern-{model._meta.label}"
    post_save.connect(saved, sender=model, weak=False, dispatch_uid=f"{label}-saved")
    post_delete.connect(deleted, sender=model, weak=False, dispatch_uid=f"{label}-deleted")
