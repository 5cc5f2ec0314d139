"""How many processors this process may really use: its affinity and its cgroup's quota, not the
host's count."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path


def available_cpus(root: Path = Path("/")) -> int:
    """Whole processors this process may keep busy, 1 or more.

    The least of the affinity mask and of every CPU quota on the way up its control groups
    (``cpu.max`` of version 2; ``cpu.cfs_quota_us`` of version 1), rounded up. See cgroups(7) and
    the kernel's admin-guide/cgroup-v2.

    Args:
        root: where ``proc`` and ``sys`` are found; another folder in tests.
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    cpus = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    quota = cpu_quota(root)
    return max(1, min(cpus, math.ceil(quota - 1e-6)) if quota is not None else cpus)


def cpu_quota(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota over this process, in processors, or None where there is none."""
    quotas = [quota for folder in _cpu_groups(root) if (quota := _quota_of(folder)) is not None]
    return min(quotas, default=None)


def _cpu_groups(root: Path) -> Iterator[Path]:
    for controllers, group in _memberships(root):
        for mount_root, mount_point in _mounts(root, controllers):
            base = root / mount_point.lstrip("/")
            inside = _relative(group, mount_root)
            folder = base / inside
            yield folder
            while folder != base:
                folder = folder.parent
                yield folder


def _memberships(root: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers == "" or "cpu" in controllers.split(","):
            yield controllers, group


def _mounts(root: Path, controllers: str) -> Iterator[tuple[str, str]]:
    # proc(5): "36 35 98:0 /root /mount/point options ... - type source superoptions"
    for line in _lines(root / "proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        fields, kind = left.split(), right.split()
        if len(fields) < 5 or len(kind) < 3:
            continue
        same = (
            kind[0] == "cgroup2"
            if controllers == ""
            else kind[0] == "cgroup" and "cpu" in kind[2].split(",")
        )
        if same:
            yield fields[3], fields[4]


def _relative(group: str, mount_root: str) -> str:
    # In a container the mount may show only a part of the tree: the group's own part.
    if mount_root != "/" and (group + "/").startswith(mount_root + "/"):
        group = group[len(mount_root) :]
    return "" if ".." in group.split("/") else group.strip("/")


def _quota_of(folder: Path) -> float | None:
    unified = _lines(folder / "cpu.max")
    if unified:
        quota, _, period = unified[0].partition(" ")
    else:
        quota = "".join(_lines(folder / "cpu.cfs_quota_us"))
        period = "".join(_lines(folder / "cpu.cfs_period_us"))
    if not quota.isdigit() or not period.isdigit() or not int(quota) or not int(period):
        return None
    return int(quota) / int(period)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
