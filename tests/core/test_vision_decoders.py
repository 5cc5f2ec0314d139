"""Decoding happens in processes of their own: limits, kills and forks neither hang nor harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest

from discern.errors import CorruptMedia, Overloaded, TooLarge
from discern.vision import sandbox as sandbox_room
from discern.vision.contract import ImageLimits
from discern.vision.images import open_image
from discern.vision.sandbox import Sandbox
from tests.faults.hostile_files import picture, png


def test_decoding_beyond_its_processor_time_is_ended() -> None:
    flat = zlib.compress(bytes(5_001 * 5_000), 1)
    with pytest.raises(TooLarge, match="processor time"):
        open_image(png(5_000, 5_000, flat), limits=ImageLimits(cpu_s=0.05))
    assert open_image(picture()).width == 120


def test_decoding_beyond_its_memory_is_refused() -> None:
    deep = zlib.compress(bytes(10_001 * 5_000), 1)
    sandbox = Sandbox(1)
    with pytest.raises(TooLarge, match="memory"):
        open_image(
            png(5_000, 5_000, deep, depth=16),
            limits=ImageLimits(memory_bytes=100 * 1024 * 1024, cpu_s=10, wall_s=30),
            sandbox=sandbox,
        )
    sandbox.close()


def test_a_decoder_killed_from_outside_costs_no_picture() -> None:
    sandbox = Sandbox(1)
    for _ in range(3):
        assert open_image(picture(), sandbox=sandbox).width == 120
        os.kill(sandbox._idle[0]._process.pid, signal.SIGKILL)
    sandbox.close()


def test_a_picture_that_ends_its_decoder_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(1)

    def kill(process: object, *_: object) -> None:
        os.kill(process._process.pid, signal.SIGSEGV)  # type: ignore[attr-defined]
        raise sandbox_room._ProcessEnded(process.close())  # type: ignore[attr-defined]

    with monkeypatch.context() as patch:
        patch.setattr(sandbox_room._Process, "ask", kill)
        with pytest.raises(CorruptMedia, match="decoder fail"):
            open_image(picture(), sandbox=sandbox)
    assert open_image(picture(), sandbox=sandbox).width == 120
    sandbox.close()


def test_a_stopped_decoder_is_given_up_after_its_clock_time_and_the_picture_not_blamed() -> None:
    sandbox = Sandbox(1)
    open_image(picture(), sandbox=sandbox)
    os.kill(sandbox._idle[0]._process.pid, signal.SIGSTOP)
    with pytest.raises(Overloaded, match="decoded within"):
        open_image(picture(), sandbox=sandbox, limits=ImageLimits(wall_s=0.2))
    assert open_image(picture(), sandbox=sandbox).width == 120
    sandbox.close()


def test_callers_wait_their_turn_and_are_refused_when_it_does_not_come() -> None:
    sandbox = Sandbox(1)
    open_image(picture(), sandbox=sandbox)
    pid = sandbox._idle[0]._process.pid
    os.kill(pid, signal.SIGSTOP)
    slow = threading.Thread(target=lambda: open_image(picture(), sandbox=sandbox))
    slow.start()
    while not sandbox._busy:
        time.sleep(0.01)
    with pytest.raises(Overloaded):
        open_image(picture(), sandbox=sandbox, limits=ImageLimits(wall_s=0.1))
    os.kill(pid, signal.SIGCONT)
    slow.join()
    sandbox.close()


def test_many_threads_share_a_sandbox() -> None:
    sandbox = Sandbox(2)
    data = [picture(size=(40 + index, 30)) for index in range(24)]
    widths: list[int] = [0] * len(data)

    def work(index: int) -> None:
        widths[index] = open_image(data[index], sandbox=sandbox).width

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(data))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert widths == [40 + index for index in range(len(data))]
    assert len(sandbox._idle) <= 2
    sandbox.close()


def test_a_forked_process_decodes_with_decoders_of_its_own() -> None:
    program = """
import os, pathlib, sys
from discern.vision.images import open_image
data = pathlib.Path(sys.argv[1]).read_bytes()
assert open_image(data).width == 120
if os.fork() == 0:
    assert open_image(data).width == 120
    os._exit(7)
assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
assert open_image(data).width == 120
"""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"fork-{os.getpid()}.jpg"
    path.write_bytes(picture())
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        path.unlink()
    assert (done.returncode, done.stderr) == (0, "")


def test_the_decoder_sees_none_of_its_parents_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCERN_SECRET_KEY", "secret")
    sandbox = Sandbox(1)
    open_image(picture(), sandbox=sandbox)
    environ = Path(f"/proc/{sandbox._idle[0]._process.pid}/environ")
    if environ.exists():
        assert b"secret" not in environ.read_bytes()
    sandbox.close()
