"""Keeps a few programs running: one readable log, restarts with back-off, one orderly stop."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import click

FIRST_BACKOFF_S: Final = 0.5
LONGEST_BACKOFF_S: Final = 30.0
HEALTHY_AFTER_S: Final = 30.0
STOP_TIMEOUT_S: Final = 12.0
POLL_S: Final = 0.1
COLORS: Final = ("cyan", "magenta", "green", "yellow", "blue")
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Program:
    """One program to keep running. ``environment`` is laid over the supervisor's own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Running:
    program: Program
    color: str
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    start_again_at: float = 0.0
    backoff_s: float = FIRST_BACKOFF_S


class Supervisor:
    """Runs programs until told to stop; stops them in the order given.

    Args:
        programs: started together; stopped one after the other, first one first.
        say: writes one line of the log.
    """

    def __init__(self, programs: Sequence[Program], *, say: Callable[[str], None]) -> None:
        self._say = say
        self._width = max(len(program.name) for program in programs)
        self._running = [
            _Running(program, COLORS[index % len(COLORS)]) for index, program in enumerate(programs)
        ]
        self._stop = threading.Event()

    def request_stop(self) -> None:
        """Makes :meth:`run` stop everything and return; safe in a signal handler."""
        self._stop.set()

    def run(self, on_tick: Callable[[], None] = lambda: None) -> None:
        """Starts all programs and keeps them running until :meth:`request_stop`.

        Must be called from the main thread: the children are told to stop when the thread that
        started them dies. ``on_tick`` is called about ten times a second.
        """
        try:
            while not self._stop.is_set():
                for running in self._running:
                    self._look_after(running)
                on_tick()
                self._stop.wait(POLL_S)
        finally:
            self._stop_all()

    def pids(self) -> dict[str, int]:
        """The process id of each program that is running now."""
        return {r.program.name: r.process.pid for r in self._running if r.process is not None}

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to one program, if it is running."""
        pid = self.pids().get(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _look_after(self, running: _Running) -> None:
        now = time.monotonic()
        if running.process is None:
            if now >= running.start_again_at:
                self._start(running)
            return
        status = running.process.poll()
        if status is None:
            return
        if now - running.started > HEALTHY_AFTER_S:
            running.backoff_s = FIRST_BACKOFF_S
        self._line(running, f"ended with {_how(status)}; starting again in {running.backoff_s:g} s")
        running.process = None
        running.start_again_at = now + running.backoff_s
        running.backoff_s = min(running.backoff_s * 2, LONGEST_BACKOFF_S)

    def _start(self, running: _Running) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **running.program.environment}
        running.process = subprocess.Popen(
            list(running.program.command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # Ctrl-C reaches the supervisor alone, which stops them in order
            preexec_fn=_stop_with_parent,
        )
        running.started = time.monotonic()
        threading.Thread(
            target=self._copy_log, args=(running, running.process), daemon=True
        ).start()

    def _copy_log(self, running: _Running, process: subprocess.Popen[str]) -> None:
        if process.stdout is None:
            return
        with process.stdout:
            for line in process.stdout:
                self._line(running, line.rstrip())

    def _line(self, running: _Running, text: str) -> None:
        name = click.style(f"{running.program.name:<{self._width}}", fg=running.color)
        self._say(f"{name} | {text}")

    def _stop_all(self) -> None:
        for running in self._running:
            process, running.process = running.process, None
            if process is None:
                continue
            _signal_group(process, signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._line(running, f"did not stop within {STOP_TIMEOUT_S:g} s; killed")
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _signal_group(process: subprocess.Popen[str], number: int) -> None:
    # The group outlives its leader where a program has workers of its own.
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _how(status: int) -> str:
    return f"status {status}" if status >= 0 else signal.Signals(-status).name


if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)

    def _stop_with_parent() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

else:

    def _stop_with_parent() -> None:
        return
