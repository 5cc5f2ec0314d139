"""Runs a worker: embedded, or on Celery when a broker is set."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from discern.web.engine import engine_ready
from discern.web.environment import load_environment
from discern.web.exporter import serve_metrics
from discern.web.jobs.worker import Worker


class Command(BaseCommand):
    help = "Take queued work until told to stop; SIGTERM returns what is not finished."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=settings.WORKER_THREADS)

    def handle(self, *_: Any, **options: Any) -> None:
        serve_metrics(load_environment())
        if settings.BROKER_URL:
            self._run_celery(options["threads"])
        else:
            self._run_embedded(options["threads"])

    def _run_embedded(self, threads: int) -> None:
        worker = Worker(threads=threads, engine_ready=engine_ready)

        def stop(_signal: int, _frame: FrameType | None) -> None:
            worker.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        self.stdout.write(f"Worker ready: {threads} threads, looking into the database.")
        worker.run()
        self.stdout.write("Worker stopped; nothing is left in its hands.")

    def _run_celery(self, processes: int) -> None:
        from discern.web.jobs.celery import app

        app.worker_main(
            ["worker", f"--concurrency={processes}", "--loglevel=INFO", "--without-gossip",
             # Several may run on one machine, and each needs a name of its own.
             "--without-mingle", f"--hostname=discern-{os.getpid()}@%h"]
        )  # fmt: skip
