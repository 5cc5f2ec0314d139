"""Writes the OpenAPI document to a file; the console's client is generated from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from discern.web.api.schema import document


class Command(BaseCommand):
    help = "Write the OpenAPI document to FILE, or with --check only say whether FILE is current."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--check", action="store_true")

    def handle(self, *_: Any, **options: Any) -> None:
        file: Path = options["file"]
        text = json.dumps(document(), indent=2, ensure_ascii=False, default=str) + "\n"
        if not options["check"]:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            raise CommandError(f"{file} is stale: run this command without --check.")
