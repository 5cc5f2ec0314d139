"""A server is measured and stopped whole, children that outlive their parent included."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import Running, ServerEnded, adopt_orphans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# Starts a child that daemonizes: its own parent ends at once. It uses 30 MB and half a second.
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        held = bytearray(os.urandom(30_000_000))
        while time.process_time() < 0.5: pass
        print("busy", flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(60)
"""


def start(tmp_path: Path, program: str) -> Running:
    command = [sys.executable, "-c", program]
    return Running(command, {}, folder=tmp_path, log=tmp_path / "log")


def test_a_daemonized_child_is_measured_and_stopped_with_its_server(tmp_path: Path) -> None:
    adopt_orphans()
    running = start(tmp_path, DAEMON)
    try:
        for _ in range(600):
            if "busy" in running.log_tail():
                break
            time.sleep(0.05)
        pids = running.pids()
        assert len(pids) == 2
        assert running.cpu_s() >= 0.4
        assert running.memory().pss >= 30
    finally:
        running.stop()
        adopt_orphans(False)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not running.pids()
    assert Path(f"/proc/{os.getpid()}").exists()


def test_a_server_that_ends_is_reported_with_what_it_said(tmp_path: Path) -> None:
    running = start(tmp_path, "print('no such model'); raise SystemExit(3)")
    running.process.wait(30)
    with pytest.raises(ServerEnded, match=r"status 3: no such model"):
        running.check()
    running.stop()
