"""``discern manage import_recommendations``: contents and interactions out of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from discern.errors import DiscernError
from discern.recommendations.files import read_contents, read_interactions
from discern.web.recommendations import bulk
from discern.web.recommendations.batches import Taken


class Command(BaseCommand):
    help = "Take in contents and interactions (csv, jsonl, parquet; .gz too); twice is harmless."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contents", type=Path)
        parser.add_argument("--interactions", type=Path)
        parser.add_argument(
            "--library",
            action="store_true",
            help="What the command line imported before there was a site.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["library"]:
                contents, interactions = bulk.take_library()
                self._say_contents(contents)
                self._say_interactions(interactions)
            if options["contents"] is not None:
                self._say_contents(bulk.take_contents(read_contents(options["contents"])))
            if options["interactions"] is not None:
                events = read_interactions(options["interactions"])
                self._say_interactions(bulk.take_interactions(events))
        except DiscernError as error:
            raise CommandError(f"{error.message} [{error.code}]") from error

    def _say_contents(self, taken: Taken) -> None:
        self.stdout.write(f"contents      {taken.added:,} added, {taken.replaced:,} replaced")

    def _say_interactions(self, taken: Taken) -> None:
        self.stdout.write(
            f"interactions  {taken.added:,} added, {taken.duplicates:,} known already, "
            f"{taken.unknown:,} of unknown contents left out, {taken.late:,} late, "
            f"{taken.out_of_order:,} out of order"
        )
