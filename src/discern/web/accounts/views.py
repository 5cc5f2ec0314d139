"""Sessions for the console, and API keys for programs."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model, logout
from django.middleware.csrf import get_token
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from discern.web.accounts import (
    schema,  # noqa: F401 - tells the OpenAPI document what a key is
    services,
)
from discern.web.accounts.authentication import SignedIn, caller
from discern.web.accounts.serializers import (
    CreatedKeySerializer,
    CredentialsSerializer,
    KeySerializer,
    NewKeySerializer,
    SessionSerializer,
)
from discern.web.api.throttles import CallerThrottle, count
from discern.web.api.views import ApiView


class SessionView(ApiView):
    """The browser's session."""

    permission_classes = (AllowAny,)

    @extend_schema(operation_id="getSession", tags=["session"], responses=SessionSerializer)
    def get(self, request: Request) -> Response:
        """Who is signed in, and the CSRF token."""
        return self._describe(request)

    @extend_schema(
        operation_id="signIn",
        tags=["session"],
        request=CredentialsSerializer,
        responses={200: SessionSerializer, 401: OpenApiResponse(description="Wrong sign-in.")},
    )
    def post(self, request: Request) -> Response:
        """Sign in. Needs the X-CSRFToken header."""
        SessionAuthentication().enforce_csrf(request)
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        self._throttle_sign_in(request, given.validated_data["username"])
        user = services.sign_in(request._request, **given.validated_data)
        if user is None:
            raise AuthenticationFailed("The user name or the password is wrong.")
        request.user = user
        return self._describe(request)

    @extend_schema(operation_id="signOut", tags=["session"], responses={204: None})
    def delete(self, request: Request) -> Response:
        """Sign out; without a session nothing happens."""
        if request.auth is None:
            logout(request._request)
        return Response(status=204)

    def _throttle_sign_in(self, request: Request, username: str) -> None:
        address = CallerThrottle().get_ident(request)
        for name in (f"sign-in:address:{address}", f"sign-in:name:{username.casefold()}"):
            verdict = count(name, settings.RATES["sign_in"])
            if not verdict.allowed:
                raise Throttled(verdict.reset_s, "Too many sign-in attempts.")

    def _describe(self, request: Request) -> Response:
        user = request.user if isinstance(request.user, get_user_model()) else None
        token = get_token(request._request)
        body = {"user": user, "csrf_token": token, "demo": settings.DEMO}
        return Response(SessionSerializer(body).data)


class KeysView(ApiView):
    """The signed-in person's API keys."""

    permission_classes = (SignedIn,)

    @extend_schema(
        operation_id="listKeys", tags=["keys"], responses=KeySerializer(many=True), filters=False
    )
    def get(self, request: Request) -> Response:
        """Every key, newest first, revoked ones too."""
        keys = caller(request).api_keys.order_by("-created_at")
        return Response(KeySerializer(keys, many=True).data)

    @extend_schema(
        operation_id="createKey",
        tags=["keys"],
        request=NewKeySerializer,
        responses={201: CreatedKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a key. The answer holds its text, which cannot be shown again."""
        given = NewKeySerializer(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.create_key(owner=caller(request), **given.validated_data)
        body = {**KeySerializer(made.key).data, "key": made.secret}
        return Response(body, status=201)


class KeyView(ApiView):
    """One API key."""

    permission_classes = (SignedIn,)

    @extend_schema(operation_id="revokeKey", tags=["keys"], responses={204: None})
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Revoke a key: its next request is refused."""
        services.revoke_key(owner=caller(request), key_id=key_id)
        return Response(status=204)
