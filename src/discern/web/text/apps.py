"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class TextConfig(AppConfig):
    name = "discern.web.text"
    label = "text"

    def ready(self) -> None:
        from discern.web.text.jobs import register_kind

        register_kind()
