"""Every command and every snippet of the README is run, and says what the README shows.

Blocks come in pairs: what to type (``bash`` or ``python``), then what it answers (``text`` or
``json``). Decimal numbers are compared to two places, since they may differ a little between
processors.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.databases import only_on_sqlite
from tests.stack import Stack

README = Path(__file__).parents[2] / "README.md"
ADDRESS = "http://127.0.0.1:8000"
_NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


@dataclass(frozen=True, slots=True)
class Example:
    """One pair of blocks."""

    heading: str
    language: str
    code: str
    answer: str


def examples() -> Iterator[Example]:
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(
        r"```(?P<language>bash|python)\n(?P<code>.*?)```\n+```(?:text|json)\n(?P<answer>.*?)```",
        re.DOTALL,
    )
    for found in pattern.finditer(text):
        heading = re.findall(r"^#+ (.+)$", text[: found.start()], re.MULTILINE)[-1]
        yield Example(heading, found["language"], found["code"], found["answer"])


EXAMPLES = list(examples())


def test_the_readme_shows_python_and_shell_with_their_answers() -> None:
    assert {example.language for example in EXAMPLES} == {"bash", "python"}
    assert len(EXAMPLES) >= 3


@only_on_sqlite
@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.heading)
def test_the_readme_s_example_answers_what_the_readme_shows(
    stack: Stack, tmp_path: Path, example: Example
) -> None:
    # The README is written for the clone's own folder after `make run`.
    (tmp_path / ".venv").symlink_to(Path(sys.prefix), target_is_directory=True)
    (tmp_path / "var").symlink_to(stack.home, target_is_directory=True)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("DISCERN_")
    }
    code = example.code.replace(ADDRESS, stack.address)
    command = ["bash", "-euo", "pipefail", "-c", code]
    if example.language == "python":
        command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert _rounded(done.stdout) == _rounded(example.answer)


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (README.parent / "Makefile").read_text()
    for target in re.findall(r"^make ([a-z-]+)", README.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def _rounded(text: str) -> str:
    return " ".join(_NUMBER.sub(lambda found: f"{float(found[0]):.2f}", text).split())
