"""People: known by an account or an id of their own, and forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction

from discern.errors import NotFound
from discern.recommendations.contract import check_id
from discern.web.api.errors import Conflict
from discern.web.recommendations import mirrors
from discern.web.recommendations.columns import stored
from discern.web.recommendations.models import Person, UserInteraction

if TYPE_CHECKING:
    from discern.web.accounts.models import User


def person_of_account(*, account: User) -> Person:
    """The signed-in account's own row, made at first use."""
    person, _ = Person.objects.get_or_create(
        account=account, defaults={"external_id": f"account-{account.pk}"}
    )
    return person


def tie(external_id: str, *, username: str) -> Person:
    """Ties the person of that id, made if there is none, to the account that signs in as
    ``username``: it acts for them from its next request on. Again is harmless. A row that the
    account was given at first use gives way while nothing was done under it.

    Raises:
        InvalidInput: what is no id. NotFound: no such account.
        Conflict: the person has another account, or the account another person.
    """
    accounts = get_user_model()
    account = accounts.objects.filter(**{accounts.USERNAME_FIELD: username}).first()
    if account is None:
        raise NotFound(f"There is no account named {username!r}.", field="username")
    person = person_at_first_sight(external_id=check_id(external_id, field="person"))
    if person.account_id == account.pk:
        return person
    if person.account_id is not None:
        raise Conflict(f"'{person.external_id}' is tied to another account; untie it first.")
    former = Person.objects.filter(account=account).first()
    try:
        with transaction.atomic():
            if former is not None:
                _give_way(former)
            person.account = account
            person.save(update_fields=["account"])
    except IntegrityError:  # somebody else was first
        raise Conflict(f"The account {username!r} has just been tied to somebody.") from None
    return person


def untie(*, external_id: str) -> Person:
    """Lets no account act for that person any longer; what they did stays theirs.

    Raises:
        NotFound: nothing is known of them.
    """
    person = Person.objects.filter(external_id=stored(external_id)).first()
    if person is None:
        raise NotFound(f"Nothing is known of '{external_id}'.", field="person")
    person.account = None
    person.save(update_fields=["account"])
    return person


def _give_way(former: Person) -> None:
    if UserInteraction.objects.filter(person=former).exists():
        raise Conflict(
            f"The account is tied to '{former.external_id}', who did things already; untie or "
            "forget them first."
        )
    former.delete()


def person_at_first_sight(*, external_id: str) -> Person:
    """The person of that id, made if there is none: what was shown to somebody is known of them."""
    with connection.cursor() as cursor:
        cursor.execute(_PERSON, [external_id])
        row = cursor.fetchone()
    if row is None:
        return Person.objects.get_or_create(external_id=external_id)[0]
    return Person.from_db(connection.alias, ("id", "external_id", "account_id"), row)


_PERSON: Final = "SELECT id, external_id, account_id FROM recommend_person WHERE external_id = %s"


def people_of(external_ids: Sequence[str]) -> dict[str, Person]:
    """People by their ids; those who are not there yet are made.

    Raises:
        InvalidInput: what is no id.
    """
    wanted = list(dict.fromkeys(check_id(name, field="person") for name in external_ids))
    Person.objects.bulk_create(
        [Person(external_id=name) for name in wanted], ignore_conflicts=True, batch_size=500
    )
    return {person.external_id: person for person in Person.objects.filter(external_id__in=wanted)}


def forget(*, external_id: str) -> int:
    """Erases a person: their row, interactions, impressions and lists here, and their part of
    what model servers learned, which may be all there is of them. Returns how many interactions
    there were, in whichever of both had more.

    Raises:
        NotFound: nothing is known of them in either.
    """
    name = stored(external_id)
    log = mirrors.library().events
    with transaction.atomic():
        there = len(log.of_person(name))
        person = Person.objects.filter(external_id=name).first()
        if person is None:
            if not log.erase(name):
                raise NotFound(f"Nothing is known of '{external_id}'.", field="person")
            return there
        here = UserInteraction.objects.filter(person=person).count()
        person.delete()
    return max(here, there)


def erase_in_log(instance: Person, **_: Any) -> None:
    """Follows the row of a person that was deleted, by whatever means: with their account, too.

    Not after the commit: an erasure that only half happened must be tried again as a whole."""
    mirrors.library().events.erase(instance.external_id)
