"""Addresses of sessions and keys, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from discern.web.accounts import views

urlpatterns = [
    path("session", views.SessionView.as_view(), name="session"),
    path("keys", views.KeysView.as_view(), name="keys"),
    path("keys/<uuid:key_id>", views.KeyView.as_view(), name="key"),
]
