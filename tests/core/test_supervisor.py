from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from discern.cli.supervisor import Program, Supervisor


def python(name: str, code: str) -> Program:
    return Program(name, [sys.executable, "-c", code])


class Run:
    """A supervisor that stops when ``until`` holds, and the lines it wrote."""

    def __init__(self, *programs: Program) -> None:
        self.lines: list[str] = []
        self.supervisor = Supervisor(
            programs, say=lambda line: self.lines.append(click.unstyle(line))
        )

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        limit = time.monotonic() + seconds

        def tick() -> None:
            if condition() or time.monotonic() > limit:
                self.supervisor.request_stop()

        self.supervisor.run(tick)
        assert time.monotonic() < limit, f"never happened; the log was {self.lines}"

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()


def test_every_line_is_shown_with_the_name_of_its_program() -> None:
    run = Run(
        python("web", "print('hello', flush=True); import time; time.sleep(60)"),
        python("worker", "import sys, time; print('oops', file=sys.stderr); time.sleep(60)"),
    )
    run.until(lambda: run.said("web    | hello") and run.said("worker | oops"))


def test_a_program_that_crashes_is_started_again_with_a_growing_pause(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    code = f"open({str(marks)!r}, 'a').write('x'); raise SystemExit(3)"
    run = Run(python("crashing", code))
    run.until(lambda: marks.exists() and len(marks.read_text()) == 3)
    assert run.said("ended with status 3; starting again in 0.5 s")
    assert run.said("ended with status 3; starting again in 1 s")


def test_a_killed_program_is_started_again_and_the_signal_is_named() -> None:
    run = Run(python("web", "import time; time.sleep(60)"))
    first: list[int] = []

    def killed_and_back() -> bool:
        pid = run.supervisor.pids().get("web")
        if pid and not first:
            first.append(pid)
            os.kill(pid, signal.SIGKILL)
        return bool(pid and first and pid != first[0])

    run.until(killed_and_back)
    assert run.said("ended with SIGKILL")


def test_stopping_ends_programs_and_the_workers_they_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    code = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}} ")
time.sleep(60)
"""
    run = Run(python("parent", code))
    run.until(lambda: pids.exists() and pids.read_text().count(" ") == 2)
    time.sleep(0.2)
    assert not any(alive(int(pid)) for pid in pids.read_text().split())


def test_programs_are_asked_to_stop_in_the_order_given(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def polite(name: str) -> Program:
        code = f"""
import signal, time
def stop(*_):
    open({str(log)!r}, "a").write("{name} ")
    raise SystemExit
signal.signal(signal.SIGTERM, stop)
print("up", flush=True)
time.sleep(60)
"""
        return python(name, code)

    run = Run(polite("web"), polite("server"))
    run.until(lambda: run.said("web    | up") and run.said("server | up"))
    assert log.read_text() == "web server "


@pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    supervisor = f"""
import sys
from discern.cli.supervisor import Program, Supervisor
Supervisor([Program("child", [sys.executable, "-c", {code!r}])], say=print).run()
"""
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", supervisor])
    try:
        limit = time.monotonic() + 30
        while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < limit:
            time.sleep(0.05)
        child = int(pid_file.read_text())
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    limit = time.monotonic() + 10
    while alive(child) and time.monotonic() < limit:
        time.sleep(0.05)
    assert not alive(child)
