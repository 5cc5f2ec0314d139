"""Serves the site: ``python -m discern.web.serve``. Does not migrate; ``discern.web migrate`` does.

One process with threads by default: a request spends most of its time waiting for the model
server. docs/settings.md says when more processes pay.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication

from discern.errors import ConfigurationInvalid
from discern.web.environment import Environment, load_environment
from discern.web.processes import forget_dead_processes

GRACE_S: Final = 10
"""How long requests under way may take when the server is told to stop."""
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - gunicorn's heartbeat must not wait for a disk


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings of the environment and nothing from a file or command line."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        super().__init__()

    def load_config(self) -> None:
        for name, value in options(self._environment).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        from discern.web.wsgi import application

        return application


def options(environment: Environment) -> dict[str, Any]:
    """gunicorn's settings."""
    host = environment.web_host
    bind = f"[{host}]:{environment.web_port}" if ":" in host else f"{host}:{environment.web_port}"
    return {
        "bind": bind,
        "worker_class": "discern.web.threads.Worker",
        "workers": environment.web_processes,
        "threads": environment.web_threads,
        "worker_connections": 1_000,
        "keepalive": 15,
        "timeout": 60,
        "graceful_timeout": GRACE_S,
        "worker_tmp_dir": str(_MEMORY) if _MEMORY.is_dir() else None,
        "control_socket_disable": True,
        "forwarded_allow_ips": "*" if environment.proxies else "127.0.0.1,::1",
        "loglevel": environment.log_level.lower(),
        "proc_name": "discern-web",
    }


def main() -> int:
    """Runs until stopped; a wrong environment is one readable message, status 2."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "discern.web.settings")
    try:
        environment = load_environment()
        forget_dead_processes(environment.shared_metrics_dir)
        Server(environment).run()
    except ConfigurationInvalid as error:
        sys.stderr.write(f"discern: {error.message}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
