"""The Python of docs/python.md and docs/flask.md is run, and says what the comments beside it show.

Where an expression's comment begins like a list or a tuple, it is what the expression gives;
``...`` in it stands for the digits that are left out.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_SHOWN = re.compile(r"\s*# (?P<value>[\[(].*)")


class _Printer(ast.NodeTransformer):
    """Prints each expression that has its value beside it; ``shown`` lists those values."""

    def __init__(self, code: str) -> None:
        self._lines = code.splitlines()
        self.shown: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        found = _SHOWN.fullmatch(
            self._lines[(node.end_lineno or 0) - 1][node.end_col_offset or 0 :]
        )
        if found is None:
            return node
        self.shown.append(found["value"])
        call = ast.Call(ast.Name("print", ast.Load()), [node.value], [])
        return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), node))


def snippets(page: str) -> str:
    """All Python of a page, as somebody types it who reads from top to bottom."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))


def run(code: str, folder: Path) -> list[str]:
    """The lines that it prints; a warning is an error."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(("page", "values"), [("python.md", 2), ("flask.md", 0)])
def test_the_python_of_a_page_runs_and_gives_what_is_shown(
    tmp_path: Path, page: str, values: int
) -> None:
    code = snippets(page)
    printer = _Printer(code)
    printed = run(ast.unparse(printer.visit(ast.parse(code))), tmp_path)
    assert len(printed) == len(printer.shown) == values
    for line, shown in zip(printed, printer.shown, strict=True):
        pattern = re.escape(shown).replace(re.escape("..."), r"\d*")
        assert re.fullmatch(pattern, line), f"docs/{page} shows {shown}, but it is {line}"


def test_the_blueprint_of_the_flask_page_answers_where_the_page_puts_it(tmp_path: Path) -> None:
    ask = """
answer = app.test_client().post("/ai/analyze", json={"text": "What a lovely day"})
print(answer.status_code, answer.get_json()["sentiment"])
"""
    assert run(snippets("flask.md") + ask, tmp_path) == ["200 POSITIVE"]
