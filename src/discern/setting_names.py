"""The name of every ``DISCERN_*`` variable, of all processes: they are given one environment, so
each must know the others' names to tell a mistyped one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

PREFIX: Final = "DISCERN_"

_SITE: Final = """
    HOME DEBUG DEMO SECRET_KEY SECRET_KEY_FALLBACKS ALLOWED_HOSTS TRUSTED_ORIGINS HTTPS PROXIES
    DATABASE_URL CACHE_URL BROKER_URL MODEL_SERVER_URL MODEL_SERVER_TOKEN MODEL_SERVER_TIMEOUT_S
    RATE_KEY RATE_USER RATE_ANONYMOUS RATE_SIGN_IN MAX_BODY_BYTES TEXT_JOB_MAX_BYTES
    TEXT_JOB_MAX_ROWS METRICS_TOKEN METRICS_DIR WORKER_METRICS_PORT WORKER_METRICS_HOST WEB_HOST
    WEB_PORT WEB_PROCESSES WEB_THREADS STORAGE S3_ENDPOINT UPLOAD_FIND UPLOAD_QUOTA_PICTURES
    UPLOAD_QUOTA_BYTES UPLOAD_RESUMABLE_HOURS UPLOAD_EVENT_STREAMS RECOMMENDATION_EXPERIMENTS
    IMPRESSION_DAYS WORKER_THREADS JOB_LEASE_S LOG_LEVEL
"""
_MODEL_SERVER: Final = """
    HOST PORT TOKEN WORKERS TASKS MODELS SESSIONS THREADS PROVIDER MAX_BATCH_ITEMS MAX_BATCH_TOKENS
    MAX_QUEUE_ITEMS MAX_WAIT_S MAX_REQUEST_S MAX_HEAD_S MAX_UNREAD_S MAX_REQUESTS MAX_BODY_BYTES
    DRAIN_S REPOSITORY METRICS_DIR LOG_LEVEL
"""
_ANYWHERE: Final = "MODEL_MIRROR"
_OF_TESTS_AND_SCRIPTS: Final = """
    BENCH_MODEL KEY PATIENCE_S PROMETHEUS SHARED_DATA SITE TEST_DATABASE_URL TEST_ENGINE
    TEST_JOURNAL TEST_PHOTOGRAPHS WEB_URL
"""

SITE_NAMES: Final = frozenset(PREFIX + name for name in _SITE.split())
MODEL_SERVER_NAMES: Final = frozenset(
    f"{PREFIX}MODEL_SERVER_{name}" for name in _MODEL_SERVER.split()
)
SETTING_NAMES: Final = SITE_NAMES | MODEL_SERVER_NAMES | {PREFIX + _ANYWHERE}
"""What an operator may set."""

KNOWN_NAMES: Final = SETTING_NAMES | {PREFIX + name for name in _OF_TESTS_AND_SCRIPTS.split()}
"""Those and the ones that only this project's own tests, benchmarks and scripts read."""

# Kubernetes and Docker's links write these for each service whose name begins with "discern".
_OF_THE_PLATFORM: Final = re.compile(
    r".*_SERVICE_HOST|.*_SERVICE_PORT(_.*)?|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?"
)
_LINK: Final = re.compile(r"(tcp|udp|sctp)://")


def is_link(value: object) -> bool:
    """Whether a variable that ends in ``_PORT`` holds the platform's address of a service, as
    ``DISCERN_WEB_PORT`` does beside a service ``discern-web``, and no port that somebody set."""
    return isinstance(value, str) and _LINK.match(value) is not None


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """One line for each variable that begins with ``DISCERN_``, holds something and is no
    setting, with the name that is nearest to it. Values are not shown: they may be secret.

    In small letters a name is the same, as in everything that reads them.
    """
    return [
        _line(name)
        for name, value in sorted(environment.items())
        if value
        and name.upper().startswith(PREFIX)
        and name.upper() not in KNOWN_NAMES
        and not _OF_THE_PLATFORM.fullmatch(name)
        and not (name.endswith("_PORT") and is_link(value))
    ]


def _line(name: str) -> str:
    import difflib  # here, for the command line starts without it

    own = [known.removeprefix(PREFIX) for known in sorted(SETTING_NAMES)]
    near = difflib.get_close_matches(name.upper().removeprefix(PREFIX), own, n=1)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "docs/settings.md lists them all."
    return f"  {name}: there is no such setting; {hint}"
