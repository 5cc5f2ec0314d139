"""Addresses of the probes, at the root of the site."""

from __future__ import annotations

from django.urls import path

from discern.web.monitoring import views

urlpatterns = [
    path("health/live", views.live, name="live"),
]
