"""Runs Django's management commands: ``python -m discern.web migrate``."""

from __future__ import annotations

import os
import sys

from django.core.management import execute_from_command_line

from discern.errors import ConfigurationInvalid


def main(arguments: list[str]) -> int:
    """Runs one management command; a wrong environment is one readable message, status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "discern.web.settings")
    try:
        execute_from_command_line(["python -m discern.web", *arguments])
    except ConfigurationInvalid as error:
        sys.stderr.write(f"discern: {error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
