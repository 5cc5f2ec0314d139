"""The documentation fails here when it no longer tells the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from benchmarks.__main__ import benchmarks
from discern.cli import cli
from discern.model_server.statuses import STATUS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            raise AssertionError(f"{prefix}{name} is listed but cannot be had")
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_of_the_command_line_names_every_command_and_option(name: str) -> None:
    page = (DOCS / "cli.md").read_text()
    section = re.search(
        rf"^## `discern {re.escape(name)}`\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert section, f"docs/cli.md has no section for `discern {name}`"
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert f"`{max(parameter.opts, key=len)}`" in section[1], parameter.opts


def test_the_page_of_the_command_line_names_no_command_that_is_gone() -> None:
    named = re.findall(r"^## `discern ([^`]+)`$", (DOCS / "cli.md").read_text(), re.MULTILINE)
    assert set(named) == set(COMMANDS)


def test_the_page_of_benchmarks_tells_those_that_make_runs_from_those_that_run_by_name() -> None:
    page = (DOCS / "benchmarks.md").read_text()
    for start, by_name_only in (
        ("`make bench` runs these on your machine:", False),
        ("These run only by name:", True),
    ):
        paragraph = page.partition(start)[2].partition("\n\n")[0]
        named = set(re.findall(r"`([a-z_]+)`", paragraph))
        found = {each.name for each in benchmarks() if each.by_name_only is by_name_only}
        assert named == found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_leads_to_a_file_and_to_a_heading_that_it_has(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)|<(?:a|img)[^>]* (?:href|src)=\"([^\"]+)\"", text):
        path, _, anchor = "".join(link).partition("#")
        if "://" in path:
            continue
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {path}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {path}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links: lower case, dashes for spaces, no other signs."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_page_of_the_model_server_has_every_error_code_with_its_status() -> None:
    page = (DOCS / "model-server.md").read_text()
    rows = re.findall(r"^\| (\d{3})\b[^|]*\| (.*) \|$", page, re.MULTILINE)
    codes = {code: int(status) for status, cell in rows for code in re.findall(r"`(\w+)`", cell)}
    assert codes == STATUS


def test_the_version_is_the_newest_one_of_the_changelog() -> None:
    import discern

    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == discern.__version__
    assert f'version = "{discern.__version__}"' in (ROOT / "pyproject.toml").read_text()


def test_requirements_files_name_no_address() -> None:
    for path in (ROOT / "requirements").glob("*"):
        assert "://" not in path.read_text(), path.name
