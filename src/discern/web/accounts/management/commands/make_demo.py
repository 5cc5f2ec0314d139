"""Makes the demo account and prints how to sign in."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from discern.web.accounts.services import make_demo
from discern.web.environment import load_environment


class Command(BaseCommand):
    help = "Make the demo account (only with DISCERN_DEMO=1); running it again changes nothing."

    def handle(self, *_: Any, **__: Any) -> None:
        environment = load_environment()
        if not environment.demo:
            raise CommandError("Set DISCERN_DEMO=1 to allow a demo account.")
        username, password = make_demo(home=environment.home)
        self.stdout.write(f"User: {username}\nPassword: {password}")
