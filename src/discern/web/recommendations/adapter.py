"""For Django sites with a content model of their own: keep it, and let this follow it.

``connect(Article, to_content)`` in an ``AppConfig.ready`` mirrors every save and delete;
:func:`get_recommendations` is the drop-in for a function of that name, and gives the site's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db.models import Model
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from discern.errors import NotFound
from discern.recommendations import contract
from discern.recommendations.contract import Filters
from discern.recommendations.files import parse_interaction
from discern.web.recommendations import interactions, lists
from discern.web.recommendations.batches import Taken
from discern.web.recommendations.bulk import take_contents
from discern.web.recommendations.contents import contents_by_id, delete_content, put_contents
from discern.web.recommendations.models import Content, Person
from discern.web.recommendations.people import person_at_first_sight

ROWS_AT_ONCE: Final = 500

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class _Connection:
    model: type[Model]
    to_content: Callable[[Any], contract.Content]
    pk_of: Callable[[str], object] | None

    def pk(self, name: str) -> object:
        """The primary key behind a content's id, None where it is none of this model's."""
        try:
            named = name if self.pk_of is None else self.pk_of(name)
            return None if named is None else self.model._meta.pk.to_python(named)
        except (ValueError, ValidationError):
            return None


_connections: dict[type[Model], _Connection] = {}


def get_recommendations(
    user_id: object, n: int = 5, *, experiment: str | None = None
) -> Sequence[Model]:
    """What the person would like next, best first: rows of the connected model, or Discern's own
    ``Content`` where none is connected. Somebody unknown, None too, gets the popular; while nothing
    was fitted yet, the newest. It is shorter than ``n`` where your default manager hides a row that
    ``to_content`` calls available.

    Args:
        user_id: your own id of the person.
        n: rows wanted.
        experiment: a name in ``settings.RECOMMENDATION_EXPERIMENTS`` whose arm ranks the list.

    Raises:
        InvalidInput: no id, or ``n`` under 1. TooLarge: ``n`` over the longest list.
    """
    return _rows_of(recommended_ids(user_id, n, experiment=experiment))


def recommended_ids(user_id: object, n: int = 5, *, experiment: str | None = None) -> list[str]:
    """As :func:`get_recommendations`, but only the ids of the contents."""
    shown = lists.recommend(
        person=_person(user_id, at_first_sight=bool(experiment)),
        n=contract.check_count(n),
        filters=Filters(),
        experiment=experiment or "",
    )
    return [content.external_id for content, _, _ in shown.lines]


def in_order(model: type[M], ids: Sequence[object], *, field: str = "pk") -> list[M]:
    """Rows of your own model in the order of a list, which ``filter(pk__in=...)`` would lose."""
    rows = {
        str(getattr(row, field)): row
        for row in model._default_manager.filter(**{f"{field}__in": ids})
    }
    return [rows[str(name)] for name in ids if str(name) in rows]


def connect(
    model: type[M],
    to_content: Callable[[M], contract.Content],
    *,
    pk_of: Callable[[str], object] | None = None,
) -> None:
    """Mirrors saves and deletes of ``model``, and makes lists give its rows.

    Args:
        model: your content model.
        to_content: what to suggest of a row; its ``id`` must not change while the row exists.
        pk_of: the primary key behind such an ``id``, None or a ValueError for one that is not of
            this model. Left out, ``to_content`` must use ``str(row.pk)`` as the id.

    Raises:
        ImproperlyConfigured: a second model is connected and not both say which ids are theirs.
    """
    others = [other for other in _connections.values() if other.model is not model]
    if others and (pk_of is None or any(other.pk_of is None for other in others)):
        raise ImproperlyConfigured(
            "Where several models are connected, each needs ids of its own and a 'pk_of' that "
            "knows them."
        )

    def saved(instance: M, raw: bool = False, **_: Any) -> None:
        if not raw:
            put_contents(contents=[to_content(instance)])

    def deleted(instance: M, **_: Any) -> None:
        content = to_content(instance)
        try:
            delete_content(external_id=content.id)
        except NotFound:
            return

    disconnect(model)
    _connections[model] = _Connection(model, to_content, pk_of)
    for signal, name, receiver in ((post_save, "saved", saved), (post_delete, "deleted", deleted)):
        signal.connect(receiver, sender=model, weak=False, dispatch_uid=_uid(model, name))


def take_all(model: type[M]) -> Taken:
    """Takes in every row of a connected model, 500 at a time: those that were there before, and
    what ``bulk_create`` and ``update`` changed without a signal. Again is harmless.

    Raises:
        ImproperlyConfigured: ``model`` is not connected.
    """
    connection = _connections.get(model)
    if connection is None:
        raise ImproperlyConfigured(f"{model._meta.label} is not connected.")
    rows = model._default_manager.order_by("pk").iterator(chunk_size=ROWS_AT_ONCE)
    return take_contents(connection.to_content(row) for row in rows)


def record(
    user_id: object,
    content: Model | str | int,
    *,
    liked: bool = False,
    disliked: bool = False,
    view_time: float = 0.0,
    key: str | None = None,
) -> Taken:
    """Records what a person did with a content just now; their next list follows from it.

    Args:
        user_id: your own id of the person.
        content: a row of a connected model, taken in first where it is not yet; a ``Content`` of
            Discern's; or a content's id.
        liked: they liked it.
        disliked: they did not. :func:`~discern.web.recommendations.interactions.withdraw` takes
            either back.
        view_time: seconds they had it before them.
        key: at most 64 characters of yours; the same one again changes nothing.

    Returns:
        What became of it: an id that is not there is counted as ``unknown``.

    Raises:
        InvalidInput: no id, a negative time, or both liked and disliked.
        ImproperlyConfigured: a row of a model that is not connected.
    """
    name = _id_of(content)
    said = {
        "person": str(user_id),
        "content_id": name,
        "liked": liked,
        "disliked": disliked,
        "view_time": view_time,
        "created_at": timezone.now().timestamp(),
        "key": key,
    }
    event = parse_interaction(said, where="the interaction")
    taken = interactions.record(interactions=[event])
    if taken.unknown and isinstance(content, Model) and type(content) in _connections:
        put_contents(contents=[_connections[type(content)].to_content(content)])
        taken = interactions.record(interactions=[event])
    return taken


def disconnect(model: type[Model]) -> None:
    """Follows ``model`` no longer; what was taken of it stays."""
    _connections.pop(model, None)
    for signal, name in ((post_save, "saved"), (post_delete, "deleted")):
        signal.disconnect(sender=model, dispatch_uid=_uid(model, name))


def _id_of(content: Model | str | int) -> str:
    if isinstance(content, Content):
        return content.external_id
    if not isinstance(content, Model):
        return str(content)
    connection = _connections.get(type(content))
    if connection is None:
        raise ImproperlyConfigured(f"{content._meta.label} is not connected.")
    return connection.to_content(content).id


def _uid(model: type[Model], name: str) -> str:
    return f"discern-{model._meta.label}-{name}"


def _person(user_id: object, *, at_first_sight: bool) -> Person | None:
    if user_id is None:
        return None
    name = contract.check_id(str(user_id), field="user_id")
    if at_first_sight:  # an arm is somebody's, so there must be a row
        return person_at_first_sight(external_id=name)
    return Person.objects.filter(external_id=name).first()


def _rows_of(ids: Sequence[str]) -> list[Model]:
    if not _connections:
        contents = contents_by_id(ids)
        return [contents[name] for name in ids if name in contents]
    found: dict[str, Model] = {}
    for connection in _connections.values():
        pks = {name: pk for name in ids if (pk := connection.pk(name)) is not None}
        rows = connection.model._default_manager.in_bulk(list(pks.values()))
        found |= {name: rows[pk] for name, pk in pks.items() if pk in rows}
    return [found[name] for name in ids if name in found]
