"""``discern manage precompute_recommendations``: lists that answer while the server is away."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from discern.errors import DiscernError
from discern.web.recommendations import lists


class Command(BaseCommand):
    help = "Make everybody's list ahead; what the nightly job does."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = lists.precompute()
        except DiscernError as error:
            raise CommandError(f"{error.message} [{error.code}]") from error
        self.stdout.write(f"{count} lists")
