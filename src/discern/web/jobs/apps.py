"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "discern.web.jobs"
    label = "discern_jobs"  # a host project may well have an app of its own called jobs
    default_auto_field = "django.db.models.BigAutoField"
