"""``discern manage fit_recommendations``: the nightly fit on everything stored."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from discern.web.recommendations import learning


class Command(BaseCommand):
    help = "Learn from everything stored, and let the new model answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tune-seconds", type=float, default=60.0)

    def handle(self, *args: Any, **options: Any) -> None:
        version, report = learning.fit(
            tune_seconds=options["tune_seconds"], report=self.stderr.write
        )
        self.stdout.write(f"{learning.MODEL_NAME} {version}, active")
        for name, value in report.items():
            self.stdout.write(f"  {name:<16}{value:,.4g}")
