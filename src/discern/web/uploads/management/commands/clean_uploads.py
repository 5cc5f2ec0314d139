"""``discern manage clean_uploads``: removes what nobody will ask for again, at once.

The workers do the same about once an hour.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from discern.web.uploads.housekeeping import clean


class Command(BaseCommand):
    help = "Remove unfinished uploads, old remembered answers and files that belong to no upload."

    def handle(self, *args: Any, **options: Any) -> None:
        for what, count in clean().items():
            self.stdout.write(f"{count} {what}")
