"""Makes an API key and prints it; what ``discern key create`` runs."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from discern.errors import DiscernError
from discern.web.accounts.services import create_key_for, make_service


class Command(BaseCommand):
    help = "Make an API key for USER and print it, the only time it is shown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--name", default="command line")
        parser.add_argument(
            "--service",
            action="store_true",
            help="USER is a program that acts for its own people; its account is made.",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            if options["service"]:
                make_service(username=options["user"])
            made = create_key_for(username=options["user"], name=options["name"])
        except DiscernError as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            # Mostly a database that nobody has migrated yet: the first start does that.
            raise CommandError(
                f"The database cannot be used ({error}). Start 'discern up' once, or run "
                "'discern manage migrate'."
            ) from error
        self.stdout.write(made.secret)
