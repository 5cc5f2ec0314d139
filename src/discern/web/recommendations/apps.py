"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig

from discern.web import host


class RecommendationsConfig(AppConfig):
    name = "discern.web.recommendations"
    label = "recommend"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        host.check()

        from discern.web.recommendations import importing, nightly

        importing.register_kind()
        nightly.register_kind()
