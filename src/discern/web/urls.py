"""Every address of the site: the API, its documentation, the probes and the console."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path

from discern.web import console
from discern.web.api.views import NoSuchAddress

api_v1: list[URLPattern | URLResolver] = [
    # They are tried in this order, so what is asked most often comes first.
    path("", include("discern.web.text.urls")),
    path("", include("discern.web.recommendations.urls")),
    path("", include("discern.web.uploads.urls")),
    path("", include("discern.web.accounts.urls")),
    path("", include("discern.web.api.urls")),
    re_path(r"", NoSuchAddress.as_view()),
]

handler400 = "discern.web.api.handler.bad_request"
handler403 = "discern.web.api.handler.forbidden"
handler404 = "discern.web.api.handler.not_found"
handler500 = "discern.web.api.handler.server_error"

urlpatterns = [
    path("api/v1/", include(api_v1)),
    re_path(r"^(?P<path>(?!api/|static/).*)$", console.page, name="console"),
]
