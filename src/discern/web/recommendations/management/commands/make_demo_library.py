"""``discern manage make_demo_library``: fills the reading room."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from discern.web.recommendations import demo, learning, nightly


class Command(BaseCommand):
    help = "Put in the demo library and its readers, and fit a model on them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-fit", action="store_true", help="Only the texts and readers.")
        parser.add_argument(
            "--at-start",
            action="store_true",
            help="Only into an empty site, and let a worker fit the model.",
        )
        parser.add_argument("--tune-seconds", type=float, default=5.0)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["at_start"] and not demo.is_wanted():
            return
        contents, interactions = demo.load()
        self.stdout.write(f"{contents} contents, {interactions} interactions")
        if options["at_start"]:
            nightly.enqueue_fit(tune_seconds=options["tune_seconds"])
        elif not options["no_fit"]:
            version, _ = learning.fit(
                tune_seconds=options["tune_seconds"], report=lambda _line: None
            )
            self.stdout.write(f"{learning.MODEL_NAME} {version}, active")
