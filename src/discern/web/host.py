"""For a Django project that takes recommendations in: what its settings need, in two lines.

The project keeps its user model, its content model, its database and its addresses::

    INSTALLED_APPS = [..., *host.installed_apps()]
    globals().update(host.defaults())
"""

from __future__ import annotations

import os
import warnings
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from discern.setting_names import unknown_names
from discern.web.api.rates import Rate
from discern.web.environment import load_environment


def installed_apps(*, api: bool = False) -> list[str]:
    """What to add to INSTALLED_APPS; with ``api`` also the keys that the API's callers send, an app
    with the label ``accounts``."""
    keys = ["discern.web.accounts"] if api else []
    return [*keys, "discern.web.jobs", "discern.web.recommendations"]


def defaults() -> dict[str, Any]:
    """The settings that recommendations read, by name, from the ``DISCERN_*`` environment; the
    site's own settings have the same. A project sets its own after them where it wants others.

    A variable that begins with ``DISCERN_`` and is no setting is warned of and nothing more: it may
    be the project's own. (The site refuses to start with one.)

    Raises:
        ConfigurationInvalid: a variable of the environment is wrong.
    """
    environment = load_environment()
    if unknown := unknown_names(os.environ):
        warnings.warn("In the environment:\n" + "\n".join(unknown), stacklevel=2)
    return {
        "ENVIRONMENT": environment,
        "ENGINE_FACTORY": "discern.web.engine.remote_engine",
        "BROKER_URL": environment.broker_url,
        "MODEL_SERVER_TIMEOUT_S": environment.model_server_timeout_s,
        "TEXT_JOB_MAX_BYTES": environment.text_job_max_bytes,
        "JOB_LEASE_S": environment.job_lease_s,
        "WORKER_THREADS": environment.worker_threads,
        "IMPRESSION_DAYS": environment.impression_days,
        "RECOMMENDATION_EXPERIMENTS": {
            name: {arm: options.model_dump(exclude_none=True) for arm, options in arms.items()}
            for name, arms in environment.recommendation_experiments.items()
        },
        "RATES": {
            "key": Rate.parse(environment.rate_key),
            "user": Rate.parse(environment.rate_user),
            "anonymous": Rate.parse(environment.rate_anonymous),
            "sign_in": Rate.parse(environment.rate_sign_in),
        },
        "RATE_COUNTS": (
            environment.home / "rate_counts" if environment.cache_url == "local" else None
        ),
    }


def check() -> None:
    """Raises ImproperlyConfigured, with what to do about it, where a project's settings lack what
    recommendations need."""
    missing = sorted(name for name in defaults() if not hasattr(settings, name))
    if missing:
        raise ImproperlyConfigured(
            f"discern.web.recommendations needs {', '.join(missing)}: write "
            "globals().update(discern.web.host.defaults()) into the settings."
        )
    if not apps.is_installed("discern.web.jobs"):
        raise ImproperlyConfigured(
            "discern.web.recommendations needs discern.web.jobs: add "
            "discern.web.host.installed_apps() to INSTALLED_APPS."
        )
    if not settings.USE_TZ:
        raise ImproperlyConfigured("discern.web.recommendations needs USE_TZ = True.")
