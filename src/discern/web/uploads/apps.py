"""Django's handle on this app; tells the job machinery what a picture's row needs."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings


class UploadsConfig(AppConfig):
    name = "discern.web.uploads"
    label = "uploads"

    def ready(self) -> None:
        from discern.web.jobs.registry import Kind, register
        from discern.web.uploads.housekeeping import clean_if_due
        from discern.web.uploads.models import Upload
        from discern.web.uploads.process import process

        register(
            Kind(
                "picture",
                Upload,
                process,
                lease_s=settings.JOB_LEASE_S,
                time_limit_s=180.0,
                tidy=clean_if_due,
            )
        )
