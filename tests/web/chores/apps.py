"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig


class ChoresConfig(AppConfig):
    name = "tests.web.chores"
    label = "chores"

    def ready(self) -> None:
        from discern.web.jobs.registry import register
        from tests.web.chores.kind import KIND

        register(KIND)
