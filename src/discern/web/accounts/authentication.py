"""Reads who is calling from a request: an API key as a bearer, or the browser's session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from discern.web.accounts import services
from discern.web.accounts.models import ApiKey

if TYPE_CHECKING:
    from discern.web.accounts.models import User


class KeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer dk_...``."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header.partition(" ")[0]:
            return None
        if not _is_bearer(header):
            raise AuthenticationFailed("Send the key as 'Authorization: Bearer dk_...'.")
        key = key_of(header)
        if key is None:
            raise AuthenticationFailed("This API key is not known, has expired or was revoked.")
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="discern"'


def key_of(authorization: str) -> ApiKey | None:
    """The usable key that an Authorization header names, or None."""
    if not _is_bearer(authorization):
        return None
    return services.find_key(authorization.partition(" ")[2].strip())


def _is_bearer(authorization: str) -> bool:
    return authorization.partition(" ")[0].lower() == "bearer"


class SignedIn(BasePermission):
    """Only a person in a session: a key that leaks must not be able to make further keys."""

    message = "Sign in for this; an API key is not enough."

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user.is_authenticated) and request.auth is None


def caller(request: Request) -> User:
    """The person or service account behind an authenticated request."""
    if not isinstance(request.user, get_user_model()):
        raise ImproperlyConfigured("This view needs a permission that asks for authentication.")
    return request.user
