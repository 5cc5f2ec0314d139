"""Names a process in the leases it holds, so that others on its machine can see that it ended."""

from __future__ import annotations

import hashlib
import os
import socket
from functools import lru_cache
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_ENDED: Final = frozenset("ZX")  # killed and not yet waited for; see proc_pid_stat(5)


def owner_name() -> str:
    """This process: its host and number for a person who reads the table, and for other processes
    when it started and which numbering it belongs to."""
    pid = os.getpid()
    return f"{socket.gethostname()[:40]}:{pid}:{_started(pid) or 0}:{_numbering()}"


def has_ended(owner: str) -> bool:
    """Whether the process so named is certain to run no more. False for processes of other
    machines and other containers, and where the system does not tell."""
    parts = owner.rsplit(":", 3)
    if len(parts) != 4 or not parts[1].isdigit():
        return False
    _, pid, started, numbering = parts
    if not numbering or numbering != _numbering() or started == "0":
        return False
    return _started(int(pid)) != int(started) and not _is_hidden(int(pid))


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is not running. A number used
    again belongs to a process with another start."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything, also spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in _ENDED else int(fields[19])


def _is_hidden(pid: int) -> bool:
    """/proc can be mounted so that other users' processes do not show (hidepid, proc(5))."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return not (_PROC / str(pid)).exists()
    except ProcessLookupError:
        return False
    return False


@lru_cache(maxsize=1)
def _numbering() -> str:
    """Tells one numbering of processes from another: a boot of a machine, and the container in
    it, since host names may be shared. Empty where the system has no /proc."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]
