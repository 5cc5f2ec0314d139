"""``discern manage fit_recommendations``: the fit on everything stored."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from discern.errors import DiscernError
from discern.web.recommendations import learning

TELL_EVERY_S: Final = 0.5


class Command(BaseCommand):
    help = "Learn from everything stored, and let the new model answer."
    _told = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tune-seconds", type=float, default=60.0)
        parser.add_argument(
            "--supervised",
            action="store_true",
            help="Write JSON lines for the worker that started this, and end when it does.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = options["tune_seconds"]
        if options["supervised"]:
            self._fit_for_a_worker(seconds)
            return
        version, report = learning.fit(tune_seconds=seconds, report=self.stderr.write)
        self.stdout.write(f"{learning.MODEL_NAME} {version}, active")
        for name, value in report.items():
            self.stdout.write(f"  {name:<16}{value:,.4g}")

    def _fit_for_a_worker(self, seconds: float) -> None:
        threading.Thread(target=_end_with_parent, daemon=True).start()
        try:
            version, report = learning.fit(
                tune_seconds=seconds,
                report=lambda line: self._say({"stage": line}),
                progress=self._say_solved,
            )
        except DiscernError as error:
            self._say({"error": error.to_dict()})
            return
        self._say({"version": version, "report": dict(report)})

    def _say_solved(self, done: int, total: int) -> None:
        now = time.monotonic()
        # Each line is a write to the database: a large catalog is solved in thousands of parts.
        if done == total or now - self._told >= TELL_EVERY_S:
            self._told = now
            self._say({"solved": done, "of": total})

    def _say(self, line: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(line))
        self.stdout.flush()


def _end_with_parent() -> None:
    # The worker holds the other end of this pipe; a worker that is killed closes it, too.
    sys.stdin.read()
    os._exit(1)
