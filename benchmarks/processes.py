"""Starts a server, finds every process it made, and reads what they cost from /proc."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_STOP_S: Final = 15.0
_PPID, _UTIME, _CSTIME = 1, 11, 14  # fields of /proc/PID/stat after the name


class ServerEnded(RuntimeError):
    """The server ended, or never answered; carries the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes (10**6). ``pss`` shares pages out among the processes that map them, so it also
    moves with strangers that map the same libraries; ``anonymous`` is what was allocated."""

    rss: float
    pss: float
    anonymous: float


def end_in_order() -> None:
    """Lets SIGTERM unwind the stack, so that the servers that were started are stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def adopt_orphans(adopt: bool = True) -> None:
    """Makes this process the parent of descendants whose own parent ends, so that a server that
    daemonizes parts of itself (as Ray does) is still measured, and stopped, whole."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


def free_port(count: int = 1) -> int:
    """The first of ``count`` consecutive loopback ports that are free now."""
    while True:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            try:
                for extra in range(1, count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port + extra)))
            except (OSError, OverflowError):
                continue
            return port


class Running:
    """A server and all its processes.

    Args:
        command: what to run; ``environment`` is laid over this process's own.
        log: where its output goes.
        bystanders: processes of ours that are not the server's (the load generator).
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        folder: Path,
        log: Path,
        bystanders: Sequence[int] = (),
    ) -> None:
        self._not_ours = set(bystanders) | descendants(os.getpid())
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                list(command),
                env={**os.environ, **environment},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def pids(self) -> set[int]:
        """Every living process of the server."""
        return descendants(os.getpid()) - self._not_ours

    def check(self) -> None:
        """Raises ServerEnded when the process that was started is gone."""
        if self.process.poll() is not None:
            raise ServerEnded(f"ended with status {self.process.returncode}: {self.log_tail()}")

    def log_tail(self) -> str:
        """The last lines the server printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])

    def cpu_s(self) -> float:
        """Processor seconds used so far, waited-for children included."""
        return sum(used_s(pid) for pid in self.pids())

    def memory(self) -> Memory:
        """Memory of all processes together."""
        each = [_memory_kib(pid) for pid in self.pids()]
        return Memory(*(sum(sizes) * 1024 / 1e6 for sizes in zip((0, 0, 0), *each, strict=True)))

    def stop(self) -> None:
        """Asks the server to stop, then ends whatever is left of it."""
        ours = self.pids()
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_S)
        give_up = time.monotonic() + _STOP_S
        while (left := (self.pids() | ours) & _living()) and time.monotonic() < give_up:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _reap(left)
            time.sleep(0.05)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1.0)


def _reap(pids: set[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def descendants(root: int) -> set[int]:
    """The processes below ``root``, not counting itself."""
    children: dict[int, list[int]] = {}
    for pid in _living():
        fields = _stat(pid)
        if fields:
            children.setdefault(int(fields[_PPID]), []).append(pid)
    found: set[int] = set()
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting.extend(below)
    return found


def _living() -> set[int]:
    return {int(entry) for entry in os.listdir("/proc") if entry.isdigit()}  # noqa: PTH208


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def used_s(pid: int) -> float:
    """Seconds of processor time that a process and its ended children used; 0 if it is gone."""
    return sum(int(field) for field in _stat(pid)[_UTIME : _CSTIME + 1]) / _TICKS


def _memory_kib(pid: int) -> tuple[int, int, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0, 0, 0
    sizes = {name: rest for name, _, rest in (line.partition(":") for line in lines[1:])}
    rss, pss, anonymous = (int(sizes[name].split()[0]) for name in ("Rss", "Pss", "Anonymous"))
    return rss, pss, anonymous


@contextlib.contextmanager
def loopback_only(name: str) -> Iterator[list[str]]:
    """A network namespace holding nothing but a loopback device; gives the words to put before a
    command to run it inside. Needs the right to make one (root).

    Raises:
        PermissionError: this user may not.
    """
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode:
        raise PermissionError(f"no network namespace: {made.stderr.decode().strip()}")
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield ["ip", "netns", "exec", name]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)
