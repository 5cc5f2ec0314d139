"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "discern.web.jobs"
    label = "jobs"
