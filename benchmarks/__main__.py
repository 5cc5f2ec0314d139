"""Lists and runs the benchmarks: ``python -m benchmarks [NAMES] [--quick] [--list]``."""

from __future__ import annotations

import argparse
import ast
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.environments import ROOT

FOLDER: Final = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A module with a ``main``; ``title`` is the first line of its docstring."""

    name: str
    title: str
    by_name_only: bool


def benchmarks() -> list[Benchmark]:
    """Every benchmark, by name. Modules are read, not imported, so one that lacks a package of its
    own does not keep the others from running."""
    found = []
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        title = (ast.get_docstring(tree) or "").partition("\n")[0]
        if not path.name.startswith("_") and title and _defines(tree, "main"):
            found.append(Benchmark(path.stem, title, _says_by_name_only(tree)))
    return found


def _defines(tree: ast.Module, name: str) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)


def _says_by_name_only(tree: ast.Module) -> bool:
    for node in tree.body:
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "BY_NAME_ONLY" for target in targets):
            return True
    return False


def run(benchmark: Benchmark, options: list[str]) -> int:
    """Runs one in a process of its own, so that none inherits another's memory or threads."""
    print(f"\n==> {benchmark.name}: {benchmark.title}", flush=True)
    began = time.monotonic()
    program = f"import sys; from benchmarks.{benchmark.name} import main; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", program, *options], cwd=ROOT) as process:
        try:
            status = process.wait()
        except BaseException:
            process.terminate()  # it stops its servers, which a Popen's own end would not wait for
            raise
    print(f"==> {benchmark.name}: {time.monotonic() - began:.0f} s", flush=True)
    return status


def main() -> int:
    """Runs the named benchmarks, or all but those that want to be named; 1 when one failed."""
    found = {benchmark.name: benchmark for benchmark in benchmarks()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="only say what there is")
    parser.epilog = "Other options go to the benchmark; --quick is one that all take."
    arguments, options = parser.parse_known_args()
    if arguments.list:
        for each in found.values():
            print(f"{each.name:<24} {each.title}{' (by name only)' * each.by_name_only}")
        return 0
    unknown = [name for name in arguments.names if name not in found]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(found)}")
    names = arguments.names or [each.name for each in found.values() if not each.by_name_only]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    failed = [name for name in names if run(found[name], options)]
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
