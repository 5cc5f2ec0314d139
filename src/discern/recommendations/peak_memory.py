"""The most memory this process has held."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

STATUS: Final = Path("/proc/self/status")


def peak_memory_mb() -> float | None:
    """The most memory this process has held since it began, in megabytes of 1,000,000 bytes; None
    where the system does not say."""
    try:
        # Not getrusage first: there a program started from a larger one begins at that one's peak.
        _, _, rest = STATUS.read_text(encoding="ascii", errors="replace").partition("VmHWM:")
        return int(rest.split()[0]) * 1024 / 1e6
    except (OSError, IndexError, ValueError):
        return _by_usage()


def _by_usage() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6  # bytes there, kibibytes here
