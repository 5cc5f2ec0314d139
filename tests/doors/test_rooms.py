"""The import rules know every room of the site: one they do not name may import what it likes."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def contract(name: str) -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    [found] = [each for each in contracts if each["name"].startswith(name)]
    return found


def rooms() -> set[str]:
    folders = (path.parent.name for path in (ROOT / "src/discern/web").glob("*/__init__.py"))
    return {f"discern.web.{name}" for name in folders}


def test_every_room_of_the_site_is_a_domain_or_beneath_the_domains() -> None:
    beneath = contract("Accounts, the API's base and jobs")
    assert {*beneath["source_modules"], *beneath["forbidden_modules"]} == rooms()


def test_every_domain_is_kept_from_every_other() -> None:
    domains = set(contract("Accounts, the API's base and jobs")["forbidden_modules"])
    # Monitoring counts what all of them do.
    domains.remove("discern.web.monitoring")
    assert set(contract("The site's domain apps")["modules"]) == domains
