"""Every address of the site: the API, its documentation, the probes and the console."""

from __future__ import annotations

from django.urls import include, path, re_path

from discern.web import console

api_v1 = [
    path("", include("discern.web.api.urls")),
    path("", include("discern.web.accounts.urls")),
    path("", include("discern.web.text.urls")),
]

urlpatterns = [
    path("api/v1/", include(api_v1)),
    path("", include("discern.web.monitoring.urls")),
    re_path(r"^(?P<path>(?!api/|static/).*)$", console.page, name="console"),
]
