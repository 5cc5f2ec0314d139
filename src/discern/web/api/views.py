"""The base of every API view, and the answer for addresses that do not exist."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated, PermissionDenied
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from discern.errors import NotFound
from discern.web.api.errors import LengthRequired
from discern.web.api.rest import own_settings

_OWN: Any = own_settings()


class ApiView(APIView):
    """Counts every request, refused ones too, adds the caller's rate to each answer, and keeps
    answers out of shared caches. A host project's own REST_FRAMEWORK changes nothing here."""

    settings = _OWN
    renderer_classes = _OWN.DEFAULT_RENDERER_CLASSES
    parser_classes = _OWN.DEFAULT_PARSER_CLASSES
    content_negotiation_class = _OWN.DEFAULT_CONTENT_NEGOTIATION_CLASS
    authentication_classes = _OWN.DEFAULT_AUTHENTICATION_CLASSES
    permission_classes = _OWN.DEFAULT_PERMISSION_CLASSES
    throttle_classes = _OWN.DEFAULT_THROTTLE_CLASSES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        try:
            super().initial(request, *args, **kwargs)
        except (AuthenticationFailed, NotAuthenticated, PermissionDenied):
            # Django REST framework counts last, so these would cost a guesser nothing.
            self.check_throttles(request)
            raise
        if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
            # WSGI does not tell how long such a body is; Django would read it as empty.
            raise LengthRequired("Send the body with a Content-Length, not in chunks.")

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        verdict = getattr(request._request, "rate_verdict", None)
        if verdict is not None:
            for name, value in verdict.headers().items():
                final.headers[name] = value
        final.headers.setdefault("Cache-Control", "private, no-store")
        return final


@extend_schema(exclude=True)
class NoSuchAddress(ApiView):
    """404 as a problem, for every method."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    throttle_classes = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        self.args, self.kwargs = args, kwargs
        self.request = self.initialize_request(request)
        self.headers = self.default_response_headers
        error = NotFound("The API has nothing at this address; /api/v1/docs lists what it has.")
        response = self.handle_exception(error)
        self.response = self.finalize_response(self.request, response)
        return self.response
