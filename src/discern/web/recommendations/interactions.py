"""What people did with contents: recorded, recalled, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from discern.recommendations import contract
from discern.recommendations.keys import stored_key
from discern.web.recommendations import mirrors
from discern.web.recommendations.batches import Taken
from discern.web.recommendations.columns import moment, stored
from discern.web.recommendations.impressions import note_outcome
from discern.web.recommendations.mirrors import tell_interactions
from discern.web.recommendations.models import Content, Person, UserInteraction
from discern.web.recommendations.numbers import told
from discern.web.recommendations.people import people_of


def record(
    *,
    interactions: Sequence[contract.Interaction],
    impression: UUID | None = None,
    mirror: bool = True,
) -> Taken:
    """Stores interactions. Those with a key that is known of their person (or, where they have
    none, the same in everything) change nothing; out of order is fine, and one in the future
    happens now. ``impression`` names the list they came from. Without ``mirror`` model servers are
    not told: they know.

    Raises:
        InvalidInput: a time outside the years 1 to 9999.
    """
    named = [stored_key(event) for event in interactions]
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
        people = people_of([event.person for _, event in known])
        keys_there = set(
            UserInteraction.objects.filter(key__in=[key for key, _ in known]).values_list(
                "key", flat=True
            )
        )
        fresh = {key: _as_of(now, event) for key, event in known if key not in keys_there}
        out_of_order = _out_of_order(list(fresh.values()), people)
        UserInteraction.objects.bulk_create(
            [_row(key, event, people, contents) for key, event in fresh.items()],
            ignore_conflicts=True,
            batch_size=500,
        )
        if impression is not None:
            note_outcome(impression, list(fresh.values()))
        if mirror:
            transaction.on_commit(lambda: tell_interactions(fresh), robust=True)
    taken = Taken(
        added=len(fresh),
        duplicates=len(known) - len(fresh),
        unknown=len(named) - len(known),
        late=sum(0 < event.at < now - 3600 for event in fresh.values()),
        out_of_order=out_of_order,
    )
    told(taken)
    return taken


def _out_of_order(events: Sequence[contract.Interaction], people: dict[str, Person]) -> int:
    """How many of new events are older than one of the same person and content, stored or among
    those before them."""
    timed = [event for event in events if event.at]
    if not timed:
        return 0
    # Of whom nothing is that new, nothing is read; mostly that is everybody.
    later = UserInteraction.objects.filter(
        person__in={people[event.person].pk for event in timed},
        created_at__gt=moment(min(event.at for event in timed)),
    )
    newest: dict[tuple[str, str], float] = {
        (person, content): at.timestamp()
        for person, content, at in later.values_list(
            "person__external_id", "content__external_id"
        ).annotate(Max("created_at"))
    }
    count = 0
    for event in timed:
        pair = (event.person, event.content)
        known = newest.get(pair, event.at)
        count += event.at < known
        newest[pair] = max(known, event.at)
    return count


def _as_of(now: float, event: contract.Interaction) -> contract.Interaction:
    moment(event.at)
    return contract.no_later_than(now, event)


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


def history_of(*, person: Person | None) -> tuple[contract.Interaction, ...]:
    """The person's newest interactions, enough for a list, the newest last: of the same moment
    that decides which one that is."""
    if person is None:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, (person.pk, _HISTORY_EVENTS))
        rows = cursor.fetchall()
    name = person.external_id
    return tuple(
        contract.Interaction(name, content, bool(liked), bool(disliked), view_time, _seconds(at))
        for content, liked, disliked, view_time, at in reversed(rows)
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
        mirrors.library().events.withdraw(person.external_id, wanted)
    return gone
