"""Runs the server: in this process, or in several that share a port and are kept alive."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from discern.model_server.settings import ModelServerSettings

POLL_S: Final = 0.1
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
HEALTHY_AFTER_S: Final = 30.0
STOP_MARGIN_S: Final = 5.0


def run(settings: ModelServerSettings) -> None:
    """Serves until SIGTERM or SIGINT; see :func:`discern.model_server.serve.serve`.

    Raises:
        ConfigurationInvalid: the address cannot be bound.
    """
    with shared_metrics(settings):
        # Imported after the folder is set, which the metrics library reads at its first import.
        from discern.model_server.serve import bind, serve

        several = settings.workers > 1
        with bind(settings, shared=several) as holder:
            address = holder.getsockname()
            _announce(address[0], address[1])
            if several:
                Group(settings.model_copy(update={"port": address[1]})).run()
            else:
                serve(settings, holder)


class Group:
    """As many server processes as the settings say; one that ends unasked is started again,
    after a pause that grows."""

    def __init__(self, settings: ModelServerSettings) -> None:
        self._settings = settings
        self._stop = threading.Event()
        self._members = [_Member(settings) for _ in range(settings.workers)]

    def run(self) -> None:
        """Runs until told to stop by a signal; the members drain."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self._refresh())
        try:
            while not self._stop.is_set():
                for member in self._members:
                    member.look_after()
                self._stop.wait(POLL_S)
        finally:
            for member in self._members:
                member.ask_to_stop()
            end = time.monotonic() + self._settings.drain_s + STOP_MARGIN_S
            for member in self._members:
                member.wait(end)

    def _refresh(self) -> None:
        for member in self._members:
            member.refresh()


class _Member:
    def __init__(self, settings: ModelServerSettings) -> None:
        self._settings = settings
        self._process: SpawnProcess | None = None
        self._started = 0.0
        self._start_at = 0.0
        self._pause_s = FIRST_PAUSE_S

    def look_after(self) -> None:
        now = time.monotonic()
        if self._process is not None:
            if self._process.is_alive():
                return
            self._mark_dead(self._process)
            if now - self._started > HEALTHY_AFTER_S:
                self._pause_s = FIRST_PAUSE_S
            self._process, self._start_at = None, now + self._pause_s
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        if now >= self._start_at:
            context = multiprocessing.get_context("spawn")
            self._process = context.Process(target=_member_main, args=(self._settings,))
            self._process.start()
            self._started = now

    def refresh(self) -> None:
        if self._process is not None and self._process.pid and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGHUP)

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.is_alive():
            self._process.terminate()

    def wait(self, end: float) -> None:
        if self._process is None:
            return
        self._process.join(max(end - time.monotonic(), 0.0))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _mark_dead(self, process: SpawnProcess) -> None:
        from discern.model_server.metrics import forget_process

        print(  # noqa: T201 - beside the line that says where the server listens
            f"server process {process.pid} ended with {process.exitcode}; starting another",
            file=sys.stderr,
            flush=True,
        )
        if process.pid is not None:
            forget_process(process.pid)


def _member_main(settings: ModelServerSettings) -> None:
    from discern.model_server.serve import bind, serve

    threading.Thread(target=_end_with_the_first, daemon=True).start()
    serve(settings, bind(settings, shared=True))


def _end_with_the_first() -> None:
    # A group whose first process was killed must not live on unseen. Its end is read from the pipe
    # it held: unlike a parent's id, that also tells of an end that came before this line.
    first = multiprocessing.parent_process()
    if first is not None:
        first.join()
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def shared_metrics(settings: ModelServerSettings) -> Iterator[None]:
    """Sets the folder in which several processes put their metrics; a temporary one if the
    settings name none."""
    given = settings.metrics_dir or os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if settings.workers == 1 and not settings.metrics_dir:
        yield
    elif given:
        Path(given).mkdir(parents=True, exist_ok=True)
        _forget_the_dead(Path(given))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = given
        yield
    else:
        with tempfile.TemporaryDirectory(prefix="discern-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            yield


def _forget_the_dead(folder: Path) -> None:
    # Counts go on from one life of a server to the next; what is under way ends with it, also
    # where nobody was left to say so.
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not _lives(int(pid)):
            file.unlink(missing_ok=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"discern model-server listens on http://{shown}:{port}", flush=True)  # noqa: T201
