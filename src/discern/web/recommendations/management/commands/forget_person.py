"""``discern manage forget_person``: erases a person, in the database and in the library."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from discern.errors import DiscernError
from discern.web.recommendations.people import forget


class Command(BaseCommand):
    help = "Erase all that a person did, and their part of what was learned."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", help="The host application's id of them.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = forget(external_id=options["person"])
        except DiscernError as error:
            raise CommandError(f"{error.message} [{error.code}]") from error
        self.stdout.write(f"{options['person']}  {count:,} interactions erased")
