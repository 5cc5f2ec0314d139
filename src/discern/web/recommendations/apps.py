"""Django's handle on this app."""

from __future__ import annotations

from django.apps import AppConfig

from discern.web import host


class RecommendationsConfig(AppConfig):
    name = "discern.web.recommendations"
    label = "recommend"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.db.models.signals import post_delete

        host.check()

        from discern.web.recommendations import importing, nightly, people
        from discern.web.recommendations.models import Person

        post_delete.connect(people.erase_in_log, sender=Person, dispatch_uid="erase-in-log")
        importing.register_kind()
        nightly.register_kind()
