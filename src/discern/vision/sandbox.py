"""Decodes pictures in processes of their own, which a limit can end without harm.

Why, and what was rejected: docs/decisions/0005-decoding.md.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from discern.errors import (
    CorruptMedia,
    DiscernError,
    InferenceFailed,
    Overloaded,
    TooLarge,
    error_from_dict,
)
from discern.vision.contract import ImageLimits
from discern.vision.formats.layout import FIELD

_PROGRAM: Final = Path(__file__).with_name("decoder_process.py")
_HEADER: Final = struct.Struct("!II")
_MAX_REPLY: Final = 64 * 1024
_REQUESTS_PER_PROCESS: Final = 1_000
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}


class _ProcessEnded(Exception):
    """The decoding process died or was ended while it worked on a request."""

    def __init__(self, cause: int | str) -> None:
        super().__init__(str(cause))
        self.cause = cause

    @property
    def by_outside(self) -> bool:
        """Whether a signal ended it that no limit of ours sends."""
        limit = -getattr(signal, "SIGPROF", 0)
        return isinstance(self.cause, int) and self.cause < 0 and self.cause != limit


class _Process:
    """One decoding process; used by one thread at a time."""

    def __init__(self, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.requests = 0
        self._shared = _anonymous_file()
        self._channel, theirs = socket.socketpair()
        with theirs:
            fds = (theirs.fileno(), self._shared)
            arguments = [str(_PROGRAM), *map(str, fds), str(memory_bytes)]
            # The environment is withheld: a codec taken over by a picture finds no secret in it.
            self._process = subprocess.Popen(
                [sys.executable, "-I", *arguments],
                pass_fds=fds,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )

    def ask(
        self, request: dict[str, Any], data: bytes, wall_s: float
    ) -> tuple[dict[str, Any], bytes]:
        """The reply and its bytes, or :class:`_ProcessEnded`, after which this is of no use."""
        self.requests += 1
        head = json.dumps(request).encode()
        deadline = time.monotonic() + wall_s
        try:
            self._channel.settimeout(wall_s)
            self._channel.sendall(_HEADER.pack(len(head), len(data)) + head)
            self._channel.sendall(data)
            length, _ = _HEADER.unpack(self._receive(_HEADER.size, deadline))
            if length > _MAX_REPLY:
                raise _ProcessEnded("nonsense")
            reply = json.loads(self._receive(length, deadline))
            return reply, os.pread(self._shared, int(reply["length"]), 0)
        except TimeoutError:
            self.close()
            raise _ProcessEnded("clock") from None
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            raise _ProcessEnded(self.close()) from None

    def _receive(self, length: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            self._channel.settimeout(max(deadline - time.monotonic(), 0.001))
            part = self._channel.recv(length - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def close(self) -> int:
        """Ends the process and returns its exit status (minus the signal that ended it)."""
        if self._process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
            self._process.kill()
            self._process.wait()
            self.release()
        return self._process.returncode

    def release(self) -> None:
        """Lets go of the process without ending it, as a forked child of its owner must."""
        self._channel.close()
        os.close(self._shared)
        if self._process.returncode is None:
            self._process.returncode = 0


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("discern-pixels")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Sandbox:
    """A few decoding processes, started when first needed and shared by all threads.

    Args:
        processes: how many pictures are decoded at once; None for one per processor, at most 4.
    """

    def __init__(self, processes: int | None = None) -> None:
        self.size = processes or min(4, os.cpu_count() or 1)
        self._idle: list[_Process] = []
        self._busy: set[_Process] = set()
        self._change = threading.Condition()
        self._closed = False

    def run(
        self, request: dict[str, Any], data: bytes, limits: ImageLimits
    ) -> tuple[dict[str, Any], bytes]:
        """Carries out one request of ``decoder_process``.

        Raises:
            CorruptMedia, TooLarge, UnsupportedMedia: the picture is at fault.
            Overloaded: every process stays busy for longer than ``limits.wall_s``.
        """
        wanted = {**request, "cpu_s": limits.cpu_s}
        try:
            reply, body = self._ask(wanted, data, limits)
        except _ProcessEnded as ended:
            if not ended.by_outside:
                raise _explain(ended.cause, limits) from None
            # Somebody may have killed it, short of memory say; only a second end is the picture's.
            try:
                reply, body = self._ask(wanted, data, limits)
            except _ProcessEnded as again:
                raise _explain(again.cause, limits) from None
        if "error" in reply:
            raise _refusal(reply)
        return reply, body

    def _ask(
        self, request: dict[str, Any], data: bytes, limits: ImageLimits
    ) -> tuple[dict[str, Any], bytes]:
        process = self._take(limits)
        usable = False
        try:
            answer = process.ask(request, data, limits.wall_s)
            usable = process.requests < _REQUESTS_PER_PROCESS
        finally:
            self._give(process, usable=usable)
        return answer

    def warm(self) -> None:
        """Starts one process ahead of the first picture."""
        with self._change:
            if not self._idle and not self._busy and not self._closed:
                self._idle.append(_Process(ImageLimits().memory_bytes))

    def close(self) -> None:
        """Ends the idle processes; busy ones end as their requests do. Safe to call twice."""
        with self._change:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def forget(self) -> None:
        """For a forked child: the processes belong to its parent."""
        for process in [*self._idle, *self._busy]:
            process.release()
        self.__init__(self.size)  # type: ignore[misc]

    def _take(self, limits: ImageLimits) -> _Process:
        with self._change:
            free = self._change.wait_for(
                lambda: self._idle or len(self._busy) < self.size, timeout=limits.wall_s
            )
            if not free:
                raise Overloaded(
                    "Every decoding process is busy; try again shortly.", retry_after_s=1
                )
            if self._idle and self._idle[-1].memory_bytes == limits.memory_bytes:
                process = self._idle.pop()
            else:
                if self._idle:
                    self._idle.pop().close()
                process = _Process(limits.memory_bytes)
            self._busy.add(process)
            return process

    def _give(self, process: _Process, *, usable: bool) -> None:
        with self._change:
            self._busy.discard(process)
            if not usable or self._closed:
                process.close()
            if usable and not self._closed:
                self._idle.append(process)
            elif not self._idle and not self._closed:
                # The next picture should not wait for the interpreter to start.
                self._idle.append(_Process(process.memory_bytes))
            self._change.notify()


def _refusal(reply: dict[str, Any]) -> DiscernError:
    reason = str(reply.get("reason", ""))[:200]
    message = f"'{FIELD}' is refused: {reason}."
    return error_from_dict({"code": reply["error"], "message": message, "field": FIELD})


def _explain(cause: int | str, limits: ImageLimits) -> DiscernError:
    if cause == -getattr(signal, "SIGPROF", 0):
        return TooLarge(
            f"'{FIELD}' takes more than {limits.cpu_s:g} s of processor time to decode.",
            field=FIELD,
            limit=limits.cpu_s,
        )
    if cause == "clock":
        # Its processor time is limited to much less: the machine is busy, the picture is innocent.
        return Overloaded(
            f"A picture could not be decoded within {limits.wall_s:g} s; try again shortly.",
            retry_after_s=1,
        )
    if isinstance(cause, int) and cause < 0:
        return CorruptMedia(f"'{FIELD}' makes its decoder fail.", field=FIELD)
    return InferenceFailed(f"The decoding process ended ({cause}).", field=FIELD)


class _InProcess(Sandbox):
    """Where processes cannot be limited (Windows): the structure checks still hold."""

    def run(
        self, request: dict[str, Any], data: bytes, limits: ImageLimits
    ) -> tuple[dict[str, Any], bytes]:
        from discern.vision.decoder_process import guarded_answer

        body, reply = guarded_answer(data, request)
        if "error" in reply:
            raise _refusal(reply)
        return reply, body

    def warm(self) -> None:
        return


_lock = threading.Lock()
_default: Sandbox | None = None


def default_sandbox() -> Sandbox:
    """The sandbox of this operating system process, made when first asked for."""
    global _default
    with _lock:
        if _default is None:
            _default = Sandbox() if os.name == "posix" else _InProcess()
            atexit.register(_default.close)
        return _default


def _after_fork() -> None:
    global _default, _lock
    _lock = threading.Lock()
    if _default is not None:
        _default.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
