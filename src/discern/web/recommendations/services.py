"""Decides about contents, people and what they did: taken in, changed, forgotten."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from discern.errors import InvalidInput, NotFound, TooLarge
from discern.recommendations import contract
from discern.recommendations.contract import check_id
from discern.recommendations.library import Library
from discern.web.accounts.models import User
from discern.web.environment import load_environment
from discern.web.recommendations.models import Content, Impression, Person, UserInteraction
from discern.web.storage import SQLITE_SYNCHRONOUS

MAX_BATCH: Final = 1_000
"""The most contents or interactions in one request; files take more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch. ``late`` ones (over an hour old) are among the ``added``;
    ``unknown`` ones name a content that is not there, and were left out."""

    added: int = 0
    replaced: int = 0
    duplicates: int = 0
    unknown: int = 0
    late: int = 0


@lru_cache(maxsize=4)
def library_in(folder: str) -> Library:
    """The folder that model servers follow."""
    from pathlib import Path

    return Library(Path(folder))


def library() -> Library:
    """The library under ``DISCERN_HOME``."""
    home = load_environment().home.expanduser()
    return library_in(str(home / "recommendations"))


def check_batch(items: Sequence[object], *, field: str) -> None:
    """Raises TooLarge over :data:`MAX_BATCH` items, InvalidInput for none."""
    if not items:
        raise InvalidInput(f"'{field}' is empty.", field=field)
    if len(items) > MAX_BATCH:
        raise TooLarge(
            f"'{field}' holds {len(items):,}; the limit is {MAX_BATCH:,}. Send more as a file.",
            field=field,
            limit=MAX_BATCH,
        )


def put_contents(*, contents: Sequence[contract.Content], mirror: bool = True) -> Taken:
    """Adds contents, or replaces those with the same id, all or none. One without a time is new
    now, or keeps the time it had. Without ``mirror`` model servers are not told: they know."""
    latest = {content.id: content for content in contents}
    with transaction.atomic():
        known = set(
            Content.objects.filter(external_id__in=latest).values_list("external_id", flat=True)
        )
        timed = [content for content in latest.values() if content.created_at is not None]
        timeless = [content for content in latest.values() if content.created_at is None]
        _put(timed, [*_REPLACED, "created_at"])
        _put(timeless, _REPLACED)
        if mirror:
            transaction.on_commit(lambda: _mirror_contents(list(latest.values())), robust=True)
    return Taken(added=len(latest) - len(known), replaced=len(known))


def _put(contents: Sequence[contract.Content], replaced: Sequence[str]) -> None:
    Content.objects.bulk_create(
        [_content_row(content) for content in contents],
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=replaced,
        batch_size=500,
    )


_REPLACED: Final = ("title", "text", "category", "tags", "available")


def delete_content(*, external_id: str) -> None:
    """Deletes a content and what was done with it; models stop suggesting it.

    Raises:
        NotFound: no such content.
    """
    content = content_named(external_id)
    gone = contract.Content(external_id, available=False)
    with transaction.atomic():
        content.delete()
        transaction.on_commit(lambda: _mirror_contents([gone]), robust=True)


def content_named(external_id: str) -> Content:
    """One content; NotFound when it is not there."""
    found = Content.objects.filter(external_id=stored(external_id)).first()
    if found is None:
        raise NotFound(f"There is no content '{external_id}'.", field="content_id")
    return found


def contents_by_id(external_ids: Sequence[str]) -> dict[str, Content]:
    """Contents by their ids, in one query."""
    return {
        content.external_id: content
        for content in Content.objects.filter(external_id__in=external_ids)
    }


@dataclass(frozen=True, slots=True)
class Label:
    """What a list shows of a content."""

    external_id: str
    title: str
    category: str
    tags: list[str]

    def __str__(self) -> str:
        return self.title or self.external_id


def labels_by_id(external_ids: Collection[str]) -> dict[str, Label]:
    """What a list shows of contents, by their ids, in one query."""
    wanted = list(dict.fromkeys(external_ids))
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_LABELS.format(", ".join(["%s"] * len(wanted))), wanted)
        return {
            name: Label(name, title, category, orjson.loads(tags))
            for name, title, category, tags in cursor
        }


_LABELS: Final = (
    "SELECT external_id, title, category, tags FROM recommend_content WHERE external_id IN ({})"
)


def person_of_account(*, account: User) -> Person:
    """The signed-in account's own row, made at first use."""
    person, _ = Person.objects.get_or_create(
        account=account, defaults={"external_id": f"account-{account.pk}"}
    )
    return person


def person_at_first_sight(*, external_id: str) -> Person:
    """The person of that id, made if there is none: what was shown to somebody is known of them."""
    with connection.cursor() as cursor:
        cursor.execute(_PERSON, [external_id])
        row = cursor.fetchone()
    if row is None:
        return Person.objects.get_or_create(external_id=external_id)[0]
    return Person.from_db(connection.alias, ("id", "external_id", "account_id"), row)


_PERSON: Final = "SELECT id, external_id, account_id FROM recommend_person WHERE external_id = %s"


def note_impression(impression: Impression) -> None:
    """Stores a list that was shown. It survives the death of every process at once, but not always
    a power cut within the next seconds: waiting for the disk would be most of a list's time."""
    fields = Impression._meta.concrete_fields
    values = [
        field.get_db_prep_save(getattr(impression, field.attname), connection) for field in fields
    ]
    with connection.cursor() as cursor, _without_waiting_for_the_disk():
        cursor.execute(_impression_sql(), values)


@contextmanager
def _without_waiting_for_the_disk() -> Iterator[None]:
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    opened: sqlite3.Connection = connection.connection
    opened.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        opened.execute(f"PRAGMA synchronous={SQLITE_SYNCHRONOUS}")


@lru_cache(maxsize=1)
def _impression_sql() -> str:
    columns = [str(field.column) for field in Impression._meta.concrete_fields]
    marks = ", ".join(["%s"] * len(columns))
    into = "INSERT INTO recommend_impression ({}) VALUES ({})"
    return into.format(", ".join(columns), marks)


def person_named(external_id: str) -> Person:
    """One person; NotFound when nothing is known of them."""
    found = Person.objects.filter(external_id=stored(external_id)).first()
    if found is None:
        raise NotFound(f"Nothing is known of '{external_id}'.", field="person")
    return found


def record(
    *,
    interactions: Sequence[contract.Interaction],
    keys: Sequence[str] | None = None,
    impression: UUID | None = None,
    mirror: bool = True,
) -> Taken:
    """Stores interactions. Those with a known key (or, without ``keys``, the same in everything)
    change nothing; out of order is fine, and one in the future happens now. ``impression`` names
    the list they came from. Without ``mirror`` model servers are not told: they know.

    Raises:
        InvalidInput: a time outside the years 1 to 9999.
    """
    named = list(keys) if keys is not None else [_key(event) for event in interactions]
    named_contents = {event.content for event in interactions}
    contents = {
        row.external_id: row
        for row in Content.objects.filter(external_id__in=named_contents).only("external_id")
    }
    known = [
        (key, event)
        for key, event in zip(named, interactions, strict=True)
        if event.content in contents
    ]
    now = timezone.now().timestamp()
    with transaction.atomic():
        people = _people([event.person for _, event in known])
        keys_there = set(
            UserInteraction.objects.filter(key__in=[key for key, _ in known]).values_list(
                "key", flat=True
            )
        )
        fresh = {key: _as_of(now, event) for key, event in known if key not in keys_there}
        UserInteraction.objects.bulk_create(
            [_row(key, event, people, contents) for key, event in fresh.items()],
            ignore_conflicts=True,
            batch_size=500,
        )
        if impression is not None:
            _note_outcome(impression, list(fresh.values()))
        if mirror:
            transaction.on_commit(lambda: _mirror(fresh), robust=True)
    return Taken(
        added=len(fresh),
        duplicates=len(known) - len(fresh),
        unknown=len(named) - len(known),
        late=sum(0 < event.at < now - 3600 for event in fresh.values()),
    )


def _as_of(now: float, event: contract.Interaction) -> contract.Interaction:
    moment(event.at)
    return contract.no_later_than(now, event)


def history_of(*, person: Person | None) -> tuple[contract.Interaction, ...]:
    """The person's newest interactions, enough for a list."""
    if person is None:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, (person.pk, _HISTORY_EVENTS))
        rows = cursor.fetchall()
    name = person.external_id
    return tuple(
        contract.Interaction(name, content, bool(liked), bool(disliked), view_time, _seconds(at))
        for content, liked, disliked, view_time, at in rows
    )


_HISTORY_EVENTS: Final = 2 * contract.MAX_HISTORY

# Written out because the ORM takes longer to compose it and to convert its rows than to read them.
_HISTORY: Final = (
    "SELECT c.external_id, i.liked, i.disliked, i.view_time, i.created_at "
    "FROM recommend_userinteraction i JOIN recommend_content c ON c.id = i.content_id "
    "WHERE i.person_id = %s ORDER BY i.created_at DESC, i.id DESC LIMIT %s"
)


def met_by(*, person: Person | None, history: Sequence[contract.Interaction]) -> tuple[str, ...]:
    """What the person met besides their ``history``, where that is cut off: the contents they met
    last, at most :data:`~discern.recommendations.contract.MAX_SEEN`."""
    if person is None or len(history) < _HISTORY_EVENTS:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_MET, (person.pk, contract.MAX_SEEN))
        return tuple(name for (name,) in cursor)


_MET: Final = (
    "SELECT c.external_id FROM recommend_content c JOIN (SELECT content_id, MAX(created_at) AS met "
    "FROM recommend_userinteraction WHERE person_id = %s GROUP BY content_id) i "
    "ON c.id = i.content_id ORDER BY i.met DESC, c.id DESC LIMIT %s"
)


def _seconds(at: datetime | str) -> float:
    """A moment as a database's own cursor gives it; SQLite's is text in UTC."""
    if isinstance(at, str):
        return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    return at.timestamp()


def interactions_of(*, person: Person) -> QuerySet[UserInteraction]:
    """Everything the person did."""
    return UserInteraction.objects.filter(person=person).select_related("content", "person")


def forget(*, person: Person) -> int:
    """Erases a person: their row, interactions, impressions and lists here, and their part of
    what model servers learned. Returns how many interactions there were."""
    external_id = person.external_id
    with transaction.atomic():
        count = UserInteraction.objects.filter(person=person).count()
        person.delete()
        # Not after the commit: an erasure that only half happened must be tried again as a whole.
        library().events.erase(external_id)
    return count


def withdraw(*, person: Person, content: str) -> int:
    """Takes the person's likes and dislikes of a content back; that they read it stays, also where
    one interaction says both. Returns how many there were, 0 the second time."""
    wanted = stored(content)
    with transaction.atomic():
        verdicts = UserInteraction.objects.filter(
            Q(liked=True) | Q(disliked=True), person=person, content__external_id=wanted
        )
        gone, _ = verdicts.filter(view_time__lte=0).delete()
        gone += verdicts.update(liked=False, disliked=False)
        # Not after the commit: one that only half happened must be tried again as a whole.
        library().events.withdraw(person.external_id, wanted)
    return gone


def mirror_everything() -> tuple[int, int]:
    """Writes every content and interaction to the library, where they are missing: for a library
    that was lost or put on a new disk. Returns how many of each there are."""
    contents = [content_of(row) for row in Content.objects.iterator()]
    library().add_contents(contents, anew=True)
    count = 0
    part: dict[str, contract.Interaction] = {}
    for row in (
        UserInteraction.objects.select_related("person", "content").order_by("id").iterator()
    ):
        part[row.key] = interaction_of(row)
        count += 1
        if len(part) == MAX_BATCH:
            library().events.append(part.values(), keys=part.keys())
            part = {}
    library().events.append(part.values(), keys=part.keys())
    return len(contents), count


def content_of(row: Content) -> contract.Content:
    """The row as the core has it."""
    return contract.Content(
        id=row.external_id,
        title=row.title,
        text=row.text,
        category=row.category,
        tags=tuple(row.tags),
        created_at=row.created_at.timestamp(),
        available=row.available,
    )


def interaction_of(row: UserInteraction) -> contract.Interaction:
    """The row as the core has it."""
    return contract.Interaction(
        person=row.person.external_id,
        content=row.content.external_id,
        liked=row.liked,
        disliked=row.disliked,
        view_time=row.view_time,
        at=row.created_at.timestamp(),
    )


def _content_row(content: contract.Content) -> Content:
    return Content(
        external_id=check_id(content.id, field="content_id"),
        title=stored(content.title)[:500],
        text=stored(content.text),
        category=stored(content.category)[:200],
        tags=[stored(tag)[:200] for tag in content.tags],
        created_at=moment(content.created_at),
        available=content.available,
    )


def _row(
    key: str,
    event: contract.Interaction,
    people: dict[str, Person],
    contents: dict[str, Content],
) -> UserInteraction:
    return UserInteraction(
        person=people[event.person],
        content=contents[event.content],
        liked=event.liked,
        disliked=event.disliked,
        view_time=event.view_time,
        created_at=moment(event.at or None),
        key=key,
    )


def _people(external_ids: Sequence[str]) -> dict[str, Person]:
    wanted = list(dict.fromkeys(check_id(name, field="person") for name in external_ids))
    Person.objects.bulk_create(
        [Person(external_id=name) for name in wanted], ignore_conflicts=True, batch_size=500
    )
    return {person.external_id: person for person in Person.objects.filter(external_id__in=wanted)}


def _note_outcome(impression: UUID, events: list[contract.Interaction]) -> None:
    shown = Impression.objects.filter(pk=impression).select_related("person").first()
    if shown is None:
        return
    mine = [
        e for e in events if e.person == shown.person.external_id and e.content in shown.contents
    ]
    now = timezone.now()
    if mine and shown.clicked_at is None:
        Impression.objects.filter(pk=shown.pk, clicked_at=None).update(clicked_at=now)
    if any(event.liked for event in mine) and shown.liked_at is None:
        Impression.objects.filter(pk=shown.pk, liked_at=None).update(liked_at=now)


def _mirror_contents(contents: list[contract.Content]) -> None:
    try:
        library().add_contents(contents)
    except OSError:
        _log.exception("contents are stored, but model servers do not see them yet")


def _mirror(events: dict[str, contract.Interaction]) -> None:
    try:
        library().events.append(events.values(), keys=events.keys())
    except sqlite3.Error:
        # The database is the truth; the nightly mirror_everything brings these along.
        _log.exception("interactions are stored, but model servers do not see them yet")


def _key(event: contract.Interaction) -> str:
    parts: tuple[Any, ...] = (
        event.person,
        event.content,
        event.liked,
        event.disliked,
        event.view_time,
        event.at,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def moment(seconds: float | None) -> datetime:
    """Seconds since 1970 as the database has them, now for None; InvalidInput outside the years
    1 to 9999."""
    if seconds is None:
        return timezone.now()
    try:
        return datetime.fromtimestamp(seconds, tz=UTC)
    except (OverflowError, OSError, ValueError):
        raise InvalidInput("'created_at' is no moment in time.", field="created_at") from None


def stored(text: str) -> str:
    """The text as it can be stored, or looked up: PostgreSQL takes every character but NUL."""
    return text.replace("\x00", "\ufffd")
