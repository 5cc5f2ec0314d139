"""``discern manage tie_person ID USERNAME``: whom an account speaks for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from discern.errors import DiscernError
from discern.web.recommendations.people import tie, untie


class Command(BaseCommand):
    help = "Tie the person of your application's ID to the account USERNAME, who then acts for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("person", metavar="ID")
        parser.add_argument("username", metavar="USERNAME", nargs="?")
        parser.add_argument("--untie", action="store_true", help="Let go of whoever has ID.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, username = options["person"], options["username"]
        if bool(username) == options["untie"]:
            raise CommandError("Give either USERNAME or --untie.")
        try:
            person = untie(external_id=name) if options["untie"] else tie(name, username=username)
        except DiscernError as error:
            raise CommandError(f"{error.message} [{error.code}]") from error
        self.stdout.write(f"{person.external_id}: {username or 'nobody'}")
