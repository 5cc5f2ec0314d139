"""Who may act for whom: staff and service accounts for anyone, everybody else for themselves."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from discern.errors import InvalidInput
from discern.recommendations.contract import check_id
from discern.web.accounts.authentication import caller
from discern.web.recommendations.models import Person
from discern.web.recommendations.people import person_at_first_sight, person_of_account

READING = ("GET", "HEAD", "OPTIONS")


class Operator(BasePermission):
    """Staff and service accounts, by session or key: they decide what everybody is suggested."""

    message = "This needs a staff or service account."

    def has_permission(self, request: Request, view: Any) -> bool:
        return is_operator(request)


class OperatorWrites(Operator):
    """Anyone signed in may read."""

    def has_permission(self, request: Request, view: Any) -> bool:
        signed_in = bool(request.user and request.user.is_authenticated)
        return signed_in and (request.method in READING or is_operator(request))


def is_operator(request: Request) -> bool:
    """Whether the caller may act for any person. A host application's service account is a
    staff account without a password; a key is no more than its owner."""
    user = request.user
    if not (user and user.is_authenticated):
        return False
    # A host project's own user model may know no staff.
    return bool(getattr(user, "is_staff", False))


def own_person(request: Request) -> Person:
    """The caller's own row, made at first use."""
    return person_of_account(account=caller(request))


def check_may_name(request: Request, name: object) -> None:
    """Raises PermissionDenied when the caller may not act for the person of that id, whether
    or not anything is known of them."""
    if is_operator(request):
        return
    own = Person.objects.filter(account=caller(request)).first()
    if own is None or own.external_id != str(name).strip():
        raise PermissionDenied("You may only speak for yourself; leave 'person' out.")


def person_of(request: Request) -> Person:
    """Whom a request is about: the one it names or, where it names nobody, the caller.

    Raises:
        InvalidInput: a service's key names nobody: it has no tastes of its own.
        PermissionDenied: somebody else's.
    """
    named = request.query_params.get("person")
    if named is None:
        if request.auth is not None and is_operator(request):
            raise InvalidInput("'person' is missing.", field="person")
        return own_person(request)
    check_may_name(request, named)
    return person_at_first_sight(external_id=check_id(named, field="person"))
