from __future__ import annotations

import os
from pathlib import Path

import pytest

from discern.inference.machine import available_cpus, cpu_quota

V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
V1_MOUNT = "31 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_version_2_takes_the_tightest_quota_on_the_way_up(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pods/app\n",
            "proc/self/mountinfo": V2_MOUNT,
            "sys/fs/cgroup/pods/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pods/app/cpu.max": "max 100000\n",
        },
    )
    assert cpu_quota(root) == 1.5
    assert available_cpus(root) == min(2, len(os.sched_getaffinity(0)))


def test_version_1_reads_quota_and_period(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n",
            "proc/self/mountinfo": V1_MOUNT + V2_MOUNT,
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cpu_quota(root) == 0.5
    assert available_cpus(root) == 1


def test_a_container_that_sees_only_its_own_group_still_finds_its_quota(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "4:cpu,cpuacct:/docker/abc\n",
            "proc/self/mountinfo": V1_MOUNT.replace(" / /sys", " /docker/abc /sys", 1),
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    )
    assert cpu_quota(root) == 1.0


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": V2_MOUNT},
        {
            "proc/self/cgroup": "0::/../../etc\nnonsense\n",
            "proc/self/mountinfo": "short - line\n" + V2_MOUNT,
            "sys/fs/cgroup/cpu.max": "max 100000\n",
        },
        {
            "proc/self/cgroup": "4:cpu:/\n",
            "proc/self/mountinfo": V1_MOUNT,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
    ],
)
def test_without_a_quota_the_affinity_mask_counts(tmp_path: Path, files: dict[str, str]) -> None:
    root = tree(tmp_path, files)
    assert cpu_quota(root) is None
    assert available_cpus(root) == len(os.sched_getaffinity(0))


def test_this_machine_gives_a_number_that_fits_it() -> None:
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)
