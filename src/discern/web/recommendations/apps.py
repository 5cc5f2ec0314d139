"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    name = "discern.web.recommendations"
    label = "recommend"

    def ready(self) -> None:
        from discern.web.recommendations import importing, nightly

        importing.register_kind()
        nightly.register_kind()
