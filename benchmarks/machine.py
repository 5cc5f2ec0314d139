"""What a result has to say of where it was made: machine, versions, commit, date."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.environments import ROOT

_PACKAGES: Final = (
    "onnxruntime",
    "openvino",
    "numpy",
    "tokenizers",
    "scipy",
    "scikit-learn",
    "pillow",
    "rapidocr",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "orjson",
    "django",
    "djangorestframework",
    "granian",
    "gunicorn",
    "celery",
)
_INSTRUCTIONS: Final = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def provenance(command: str, programs: Sequence[str] = ()) -> dict[str, Any]:
    """The command to run again, and everything it depended on that is known.

    ``programs`` are those it starts that are no Python packages; each must know ``--version``.
    """
    return {
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "--short=12", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "instructions": [name for name in _INSTRUCTIONS if name in _flags()],
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "system": f"{platform.system()} {platform.release()}",
            "load_before": [round(value, 2) for value in os.getloadavg()],
            "busy_cores_before": _busy_cores(),
        },
        "versions": {
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            **_versions(),
            **{program: _version_of(program) for program in programs},
        },
    }


def sentence(result: dict[str, Any]) -> str:
    """The provenance as one Markdown paragraph."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    busy = (
        " **The machine was busy with other work: only figures by CPU time mean anything.**"
        if machine["busy_cores_before"] > machine["cores"] / 8
        else ""
    )
    return (
        f"Got with `{result['command']}` on {result['date']} at commit `{result['commit']}`"
        f"{' with uncommitted changes' if result['uncommitted_changes'] else ''}: "
        f"{machine['cores']} cores of {machine['processor']} "
        f"({', '.join(machine['instructions'])}), {machine['memory_gb']} GB, {machine['system']}, "
        f"{machine['busy_cores_before']} cores busy with other work before the run. "
        f"{versions}.{busy}"
    )


def command_line(module: str) -> str:
    """How this benchmark was called, without paths of the machine."""
    return " ".join(["python -m benchmarks", module, *sys.argv[1:]])


def _busy_cores(seconds: float = 1.0) -> float:
    """Cores in use, by us or by other guests of the host. The load average would still tell of
    what ran minutes ago."""
    before = _processor_times()
    time.sleep(seconds)
    spent = [after - first for first, after in zip(before, _processor_times(), strict=True)]
    idle = spent[3] + spent[4]
    return round((1 - idle / max(sum(spent), 1)) * len(os.sched_getaffinity(0)), 2)


def _processor_times() -> list[int]:
    # proc(5): user, nice, system, idle, iowait, irq, softirq, steal; guests are within the first
    return [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _version_of(program: str) -> str:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+(?:\.\d+)+", told)
    return found[0] if found else told.strip()


def _processor() -> str:
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _flags() -> set[str]:
    for line in _cpuinfo():
        if line.startswith("flags"):
            return set(line.partition(":")[2].split())
    return set()


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
