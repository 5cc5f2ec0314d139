"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "discern.web.api"
    label = "api"
