"""What the processes of one machine share: a folder of metrics, one file for each."""

from __future__ import annotations

import os
import re
from pathlib import Path

from discern.errors import ConfigurationInvalid
from discern.web.environment import Environment

_PID = re.compile(r"_(\d+)\.db$")


def share_metrics(environment: Environment) -> None:
    """Makes this process write its metrics where every other one's scrape can read them.

    Raises:
        ConfigurationInvalid: the folder cannot be made.
    """
    folder = environment.shared_metrics_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationInvalid(
            f"DISCERN_METRICS_DIR: cannot make the folder {folder} ({error.strerror})."
        ) from error
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(folder))


def forget_dead_processes(folder: Path) -> int:
    """Removes the files of processes that no longer run; returns how many there were.

    Only when a server starts: while it runs, the numbers of a process that ended still count.
    """
    removed = 0
    for path in folder.glob("*.db"):
        found = _PID.search(path.name)
        if found and not _runs(int(found[1])):
            path.unlink(missing_ok=True)
            removed += 1
    return removed


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
